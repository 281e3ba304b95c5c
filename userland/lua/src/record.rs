use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

use hothouse_abi::{Name, Pid, Program, Span, Token};
use mlua::Table;

/// What the Lua side knows of one process, apart from its coroutine.
pub(crate) struct Record {
    /// The folder in which `require` and `start` look for files.
    pub(crate) folder: Option<Rc<Path>>,
    /// The table of its global variables.
    pub(crate) globals: Table,
    /// Handlers, exit hooks, loaded modules and the like, once there are any.
    pub(crate) shelf: RefCell<Option<Table>>,
    /// Who sent the event received last.
    pub(crate) sender: Cell<Option<Pid>>,
    /// The request received last.
    pub(crate) request: RefCell<Option<Request>>,
    /// Its stack is being closed: traps don't park.
    pub(crate) unwinding: Cell<bool>,
    /// It has exit hooks that have not run.
    pub(crate) has_hooks: Cell<bool>,
    /// Its exit hooks run: all of them together have one instruction budget.
    pub(crate) in_hooks: Cell<bool>,
    /// Instructions that the exit hooks may still run.
    pub(crate) hooks_left: Cell<u64>,
    /// Whether the process did what has no order, and whether that was an error.
    pub(crate) warned: Cell<Option<bool>>,
    /// Why it must end, whatever it catches.
    pub(crate) doom: RefCell<Option<String>>,
    /// Signals whose handler had to wait until Lua can yield.
    pub(crate) deferred: RefCell<Vec<hothouse_abi::Signal>>,
    /// A child that is ready to be spawned, and its name.
    pub(crate) child: RefCell<Option<Box<(Name, Program)>>>,
    /// Virtual time of instructions run where Lua can't yield, charged later.
    pub(crate) owed: Cell<Span>,
}

/// A request that may be replied to.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) pid: Pid,
    pub(crate) token: Token,
    pub(crate) name: Name,
}

impl Record {
    pub(crate) fn is_doomed(&self) -> bool {
        self.doom.borrow().is_some()
    }

    pub(crate) fn new(folder: Option<Rc<Path>>, globals: Table) -> Record {
        Record {
            folder,
            globals,
            shelf: RefCell::default(),
            sender: Cell::new(None),
            request: RefCell::default(),
            unwinding: Cell::new(false),
            has_hooks: Cell::new(false),
            in_hooks: Cell::new(false),
            hooks_left: Cell::new(0),
            warned: Cell::new(None),
            doom: RefCell::default(),
            deferred: RefCell::default(),
            child: RefCell::default(),
            owed: Cell::new(Span::ZERO),
        }
    }
}
