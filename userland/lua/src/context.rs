use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hothouse_abi::{Flow, Frame, Gate, Resume, Signal, Span, Trap};
use mlua::{Lua, Value};

use crate::answers::{self, Reply, Shape};
use crate::library::Budget;
use crate::place;
use crate::raw;
use crate::record::Record;
use crate::state::State;

/// What the callbacks of a Lua state need to know of the step that runs now.
pub(crate) struct Context {
    current: RefCell<Option<Current>>,
    /// What the kernel asked for in answer to the last trap (a handler, the hooks, an unwinding).
    pending: RefCell<Option<Resume>>,
    /// How the answer to the last trap that parked is shown to Lua.
    shape: Cell<Shape>,
    /// A trap parked and the body has not heard of it yet: no other trap may be made.
    parking: Cell<bool>,
    /// A trap that the program made meanwhile, for the body to make after that one's answer.
    held: RefCell<Option<Trap>>,
    pub(crate) budget: Budget,
    /// Instructions between two traps.
    limit: u64,
}

/// The process that runs now.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) gate: Rc<dyn Gate>,
    pub(crate) record: Rc<Record>,
    pub(crate) state: Rc<State>,
}

impl Context {
    pub(crate) fn new(limit: u64) -> Context {
        Context {
            budget: Budget::new(limit),
            limit,
            current: RefCell::default(),
            pending: RefCell::default(),
            shape: Cell::new(Shape::Plain),
            parking: Cell::new(false),
            held: RefCell::default(),
        }
    }

    /// Makes `current` the process that runs and returns the one that ran before, so that steps
    /// may nest.
    pub(crate) fn enter(&self, current: Option<Current>) -> Option<Current> {
        let hooks = current.as_ref().map(|current| &current.record).filter(|r| r.in_hooks.get());
        let limit = hooks.map_or(self.limit, |record| record.hooks_left.get());
        self.budget.clear(limit);
        self.current.replace(current)
    }

    /// A full instruction budget, whatever became of the last one.
    pub(crate) fn renew_budget(&self) {
        self.budget.clear(self.limit);
    }

    /// The process that runs now; `None` while the host itself uses the state.
    pub(crate) fn current(&self) -> Option<Current> {
        self.current.borrow().clone()
    }

    pub(crate) fn record(&self) -> mlua::Result<Rc<Record>> {
        match &*self.current.borrow() {
            Some(current) => Ok(current.record.clone()),
            None => Err(mlua::Error::runtime("no process runs")),
        }
    }

    pub(crate) fn take_pending(&self) -> Option<Resume> {
        self.pending.take()
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape.get()
    }

    /// Whether a trap parked, or was answered with something to do first, since the last call.
    pub(crate) fn take_parking(&self) -> bool {
        self.parking.take()
    }

    /// Keeps what the body must act on, and tells the prelude to yield.
    fn park(&self, pending: Option<Resume>, shape: Shape) -> Reply {
        self.shape.set(shape);
        self.pending.replace(pending);
        self.parking.set(true);
        Reply::PARKED
    }

    /// The process that runs now ends, whatever it catches.
    pub(crate) fn doom(&self, text: &str) {
        if let Some(current) = &*self.current.borrow() {
            current.record.doom.borrow_mut().get_or_insert_with(|| text.to_owned());
        }
    }

    /// Makes a trap for Lua. `parks` says whether the call may park by its nature: then it is
    /// refused, and nothing changed, where Lua can't yield.
    pub(crate) fn trap(&self, lua: &Lua, trap: Trap, shape: Shape) -> mlua::Result<Reply> {
        let Some(Current { gate, record, .. }) = self.current() else {
            return Reply::failed(lua, "no process runs");
        };
        let name = trap.name();
        let unwinding = record.unwinding.get();
        if !unwinding && may_park(&trap) && !raw::is_yieldable(lua) {
            return self.refuse(lua, name, shape);
        }
        if !record.in_hooks.get() {
            self.budget.refill();
        }
        if self.parking.get() {
            self.held.replace(Some(trap));
            self.shape.set(shape);
            return Ok(Reply::PARKED);
        }
        let mut frame = Frame::new(trap);
        frame.unwinding = unwinding;
        match gate.trap(&mut frame) {
            Flow::Parked => Ok(self.park(None, shape)),
            Flow::Done => match frame.resume {
                first @ (Resume::Handler(_) | Resume::Hooks | Resume::Unwind) => {
                    Ok(self.park(Some(first), shape))
                }
                answer => answers::to_lua(lua, &record, answer, shape),
            },
        }
    }

    fn refuse(&self, lua: &Lua, name: &str, shape: Shape) -> mlua::Result<Reply> {
        let text = format!("{name} cannot wait here: Lua can't yield across a call from C");
        Reply::failed(lua, place::prefix(lua, &text, shape))
    }

    /// Why the process that runs now must end, if it must.
    /// Whether the process that runs now must end.
    pub(crate) fn is_doomed(&self) -> bool {
        self.current.borrow().as_ref().is_some_and(|c| c.record.doom.borrow().is_some())
    }

    pub(crate) fn doom_text(&self) -> Option<String> {
        self.record().ok().and_then(|record| record.doom.borrow().clone())
    }

    /// A trap was answered with something to do first, or parked, where Lua can't yield.
    pub(crate) fn strand(&self, lua: &Lua) -> mlua::Result<Reply> {
        let record = self.record()?;
        // What was held back can't be made from here; the process ends.
        self.held.take();
        let mut next = self.take_pending();
        while let Some(Resume::Handler(signal)) = next {
            record.deferred.borrow_mut().push(signal);
            next = self.raw_trap(Trap::SigReturn);
        }
        match next {
            Some(Resume::Hooks | Resume::Unwind) | None => {
                self.pending.replace(next);
                self.doom("a system call waited where Lua can't yield");
                Ok((Value::Boolean(false), Value::NULL, Value::Nil).into())
            }
            Some(answer) => {
                self.parking.set(false);
                answers::to_lua(lua, &record, answer, self.shape.get())
            }
        }
    }

    /// Charges the time of instructions. Returns whether the coroutine must yield.
    pub(crate) fn charge_time(&self, lua: &Lua, span: Span) -> bool {
        let Ok(record) = self.record() else { return false };
        record.owed.set(record.owed.get() + span);
        if self.parking.get() || record.unwinding.get() || !raw::is_yieldable(lua) {
            return false;
        }
        match self.raw_trap(Trap::Compute { span: record.owed.take() }) {
            Some(first @ (Resume::Handler(_) | Resume::Hooks | Resume::Unwind)) => {
                self.park(Some(first), Shape::Plain);
                true
            }
            Some(_) => false,
            None => {
                self.park(None, Shape::Plain);
                true
            }
        }
    }

    /// Notes that the run may differ from others. Told to the kernel once a process.
    ///
    /// # Errors
    ///
    /// If the run is one that must be repeatable.
    pub(crate) fn warn(&self, lua: &Lua) -> mlua::Result<()> {
        let Ok(record) = self.record() else { return Ok(()) };
        const WHAT: &str =
            "pairs over a table with several tables, functions or coroutines as keys";
        if record.warned.get() == Some(false) {
            return Ok(());
        }
        let why = format!("{}: {WHAT}", place::current(lua).unwrap_or_default());
        record.warned.set(Some(false));
        match self.raw_trap(Trap::Unrepeatable { why }) {
            Some(Resume::Flag(true)) => {
                record.warned.set(Some(true));
                return Err(mlua::Error::runtime(format!("{WHAT}: their order differs")));
            }
            Some(first @ (Resume::Handler(_) | Resume::Hooks | Resume::Unwind)) => {
                self.park(Some(first), Shape::Plain);
            }
            Some(_) => {}
            // The library that asks can't yield: the body gets the answer at the next trap.
            None => {
                self.park(None, Shape::Plain);
            }
        }
        Ok(())
    }

    /// The trap that was made while another one was parking.
    pub(crate) fn take_held(&self) -> Option<Trap> {
        self.held.take()
    }

    /// A trap made by the runtime itself; `None` if it parked.
    pub(crate) fn raw_trap(&self, trap: Trap) -> Option<Resume> {
        let Current { gate, record, .. } = self.current()?;
        let mut frame = Frame::new(trap);
        frame.unwinding = record.unwinding.get();
        match gate.trap(&mut frame) {
            Flow::Done => Some(frame.resume),
            Flow::Parked => None,
        }
    }
}

/// Whether the call parks by its nature, on a machine whose settings give traps no cost. `kill`
/// with `SIGKILL` does: the victim is unwound before it returns.
fn may_park(trap: &Trap) -> bool {
    match trap {
        Trap::Kill { signal, .. } => signal.check() == Ok(Some(Signal::SIGKILL)),
        Trap::Exit { .. } => true,
        other => other.parks(),
    }
}
