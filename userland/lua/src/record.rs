use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::path::PathBuf;
use std::rc::Rc;

use hothouse_abi::{ExitStatus, Name, Pid, Program, Signal, Span, Token};
use mlua::Table;

/// What the Lua side knows of one process, apart from its coroutine.
pub(crate) struct Record {
    /// The folder in which `require` and `start` look for files.
    pub(crate) folder: Option<Rc<PathBuf>>,
    /// The table of its global variables.
    pub(crate) globals: Table,
    sender: Cell<Pid>,
    /// Whether it has received an event, so that there is a sender.
    has_sender: Cell<bool>,
    /// Its stack is being closed: traps don't park.
    pub(crate) unwinding: Cell<bool>,
    /// It has exit hooks that have not run.
    pub(crate) has_hooks: Cell<bool>,
    /// Its exit hooks run: all of them together have one instruction budget.
    pub(crate) in_hooks: Cell<bool>,
    /// Whether the process did what has no order, and whether that was an error.
    pub(crate) warned: Cell<Option<bool>>,
    rare: OnceCell<Box<RefCell<Rare>>>,
}

const _: () = assert!(size_of::<Record>() <= 56);

/// What most processes never need.
#[derive(Default)]
pub(crate) struct Rare {
    /// How the main coroutine ended; `None`: without a value, or not yet.
    pub(crate) status: Option<ExitStatus>,
    /// Handlers, exit hooks, loaded modules and the like, once there are any.
    pub(crate) shelf: Option<Table>,
    /// The request received last.
    pub(crate) request: Option<Request>,
    /// Instructions that the exit hooks may still run.
    pub(crate) hooks_left: u64,
    /// Why it must end, whatever it catches.
    pub(crate) doom: Option<String>,
    /// Signals whose handler had to wait until Lua can yield.
    pub(crate) deferred: Vec<Signal>,
    /// A child that is ready to be spawned, and its name.
    pub(crate) child: Option<(Name, Program)>,
    /// Virtual time of instructions run where Lua can't yield, charged later.
    pub(crate) owed: Span,
}

/// A request that may be replied to.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) pid: Pid,
    pub(crate) token: Token,
    pub(crate) name: Name,
}

impl Record {
    pub(crate) fn new(folder: Option<Rc<PathBuf>>, globals: Table) -> Record {
        Record {
            folder,
            globals,
            sender: Cell::new(Pid::KERNEL),
            has_sender: Cell::new(false),
            unwinding: Cell::new(false),
            has_hooks: Cell::new(false),
            in_hooks: Cell::new(false),
            warned: Cell::new(None),
            rare: OnceCell::new(),
        }
    }

    pub(crate) fn rare(&self) -> RefMut<'_, Rare> {
        self.rare.get_or_init(Box::default).borrow_mut()
    }

    /// The rare part, where its absence means that there is nothing of the kind.
    pub(crate) fn rare_if<T: Default>(&self, read: impl FnOnce(&mut Rare) -> T) -> T {
        self.rare.get().map(|rare| read(&mut rare.borrow_mut())).unwrap_or_default()
    }

    /// Who sent the event received last.
    pub(crate) fn sender(&self) -> Option<Pid> {
        self.has_sender.get().then(|| self.sender.get())
    }

    pub(crate) fn set_sender(&self, sender: Pid) {
        self.sender.set(sender);
        self.has_sender.set(true);
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.rare_if(|rare| rare.doom.is_some())
    }
}
