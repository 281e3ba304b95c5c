use std::cell::{Cell, RefCell, RefMut};
use std::path::Path;
use std::rc::Rc;

use hothouse_abi::{Name, Pid, Program, Signal, Span, Token};
use mlua::Table;

/// What the Lua side knows of one process, apart from its coroutine.
pub(crate) struct Record {
    /// The folder in which `require` and `start` look for files.
    pub(crate) folder: Option<Rc<Path>>,
    /// The table of its global variables.
    pub(crate) globals: Table,
    /// Who sent the event received last.
    pub(crate) sender: Cell<Option<Pid>>,
    /// Its stack is being closed: traps don't park.
    pub(crate) unwinding: Cell<bool>,
    /// It has exit hooks that have not run.
    pub(crate) has_hooks: Cell<bool>,
    /// Its exit hooks run: all of them together have one instruction budget.
    pub(crate) in_hooks: Cell<bool>,
    /// Whether the process did what has no order, and whether that was an error.
    pub(crate) warned: Cell<Option<bool>>,
    rare: RefCell<Option<Box<Rare>>>,
}

const _: () = assert!(size_of::<Record>() <= 80);

/// What most processes never need.
#[derive(Default)]
pub(crate) struct Rare {
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
    pub(crate) fn new(folder: Option<Rc<Path>>, globals: Table) -> Record {
        Record {
            folder,
            globals,
            sender: Cell::new(None),
            unwinding: Cell::new(false),
            has_hooks: Cell::new(false),
            in_hooks: Cell::new(false),
            warned: Cell::new(None),
            rare: RefCell::default(),
        }
    }

    pub(crate) fn rare(&self) -> RefMut<'_, Rare> {
        RefMut::map(self.rare.borrow_mut(), |rare| &mut **rare.get_or_insert_default())
    }

    /// The rare part, where its absence means that there is nothing of the kind.
    pub(crate) fn rare_if<T: Default>(&self, read: impl FnOnce(&mut Rare) -> T) -> T {
        self.rare.borrow_mut().as_deref_mut().map(read).unwrap_or_default()
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.rare_if(|rare| rare.doom.is_some())
    }
}
