use std::any::Any;
use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use hothouse_abi::{Flow, Frame, Gate, Resume, Signal, Span, Trap};
use mlua::Lua;

use crate::failure::EXHAUSTED;
use crate::library::Budget;
use crate::place;
use crate::raw::{Stack, Then};
use crate::record::Record;
use crate::settings::LuaSettings;
use crate::state::State;

/// What the callbacks of a Lua state need to know of the step that runs now.
pub(crate) struct Context {
    current: RefCell<Option<Current>>,
    /// What the kernel asked for in answer to the last trap (a handler, the hooks, an unwinding).
    pending: RefCell<Option<Box<Resume>>>,
    /// The answer for the system call that is being resumed.
    answer: RefCell<Option<Resume>>,
    /// Whether what yielded last was a system call, and not the hook.
    expects: Cell<bool>,
    /// A trap parked and the body has not heard of it yet: no other trap may be made.
    parking: Cell<bool>,
    /// A trap that the program made meanwhile, for the body to make after that one's answer.
    held: RefCell<Option<Box<Trap>>>,
    pub(crate) budget: Budget,
    /// Instructions between two traps.
    limit: u64,
    meter: Meter,
    unhooked: Cell<bool>,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
}

/// What the hook counts.
struct Meter {
    /// Instructions between two calls of it.
    period: u64,
    /// The virtual time that they take.
    cost: Span,
}

/// What became of a trap that Lua made.
#[must_use]
pub(crate) enum Made {
    /// The answer is in the frame.
    Answered,
    /// The answer comes later.
    Parked,
    /// It may park, and Lua can't yield here: nothing was done.
    Refused,
}

/// The process that runs now.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) gate: Rc<dyn Gate>,
    pub(crate) record: Rc<Record>,
    pub(crate) state: Rc<State>,
}

impl Context {
    pub(crate) fn new(settings: &LuaSettings) -> Context {
        let limit = settings.instruction_budget.unwrap_or(u64::MAX);
        let period = settings.hook_period.max(1).into();
        let cost = settings.time_per_instruction.nanos().saturating_mul(period);
        Context {
            budget: Budget::new(limit),
            limit,
            meter: Meter { period, cost: Span::from_nanos(cost) },
            current: RefCell::default(),
            pending: RefCell::default(),
            answer: RefCell::default(),
            expects: Cell::new(false),
            parking: Cell::new(false),
            held: RefCell::default(),
            unhooked: Cell::new(false),
            panic: RefCell::default(),
        }
    }

    /// Makes `current` the process that runs and returns the one that ran before, so that steps
    /// may nest.
    pub(crate) fn enter(&self, current: Current) -> Option<Current> {
        let in_hooks = current.record.in_hooks.get();
        self.budget.clear(if in_hooks { current.record.rare().hooks_left } else { self.limit });
        self.current.replace(Some(current))
    }

    /// Goes back to the process that ran before, or to none.
    pub(crate) fn leave(&self, before: Option<Current>) {
        self.renew_budget();
        self.current.replace(before);
    }

    /// A full instruction budget, whatever became of the last one.
    pub(crate) fn renew_budget(&self) {
        self.budget.clear(self.limit);
    }

    /// The process that runs now; `None` while the host itself uses the state.
    pub(crate) fn current(&self) -> Ref<'_, Option<Current>> {
        self.current.borrow()
    }

    pub(crate) fn record(&self) -> mlua::Result<Rc<Record>> {
        match &*self.current.borrow() {
            Some(current) => Ok(current.record.clone()),
            None => Err(mlua::Error::runtime("no process runs")),
        }
    }

    pub(crate) fn take_pending(&self) -> Option<Box<Resume>> {
        self.pending.take()
    }

    /// Whether a trap parked, or was answered with something to do first, since the last call.
    pub(crate) fn take_parking(&self) -> bool {
        self.parking.take()
    }

    /// Keeps what the body must act on, once the coroutine has yielded.
    fn park(&self, pending: Option<Resume>) {
        self.pending.replace(pending.map(Box::new));
        self.parking.set(true);
    }

    /// Whether the coroutine that yielded waits in a system call.
    pub(crate) fn expects_answer(&self) -> bool {
        self.expects.get()
    }

    /// Keeps the answer for the system call that waits for it.
    pub(crate) fn put_answer(&self, answer: Resume) {
        self.answer.replace(Some(answer));
    }

    pub(crate) fn take_answer(&self) -> Option<Resume> {
        self.answer.take()
    }

    /// Keeps a panic, which must not unwind through Lua. The process that runs now ends.
    pub(crate) fn keep_panic(&self, payload: Box<dyn Any + Send>) {
        self.panic.replace(Some(payload));
        self.doom("the runtime panicked");
    }

    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.take()
    }

    /// Whether the hook that counts was replaced by one that fails, since the last call.
    pub(crate) fn take_unhooked(&self) -> bool {
        self.unhooked.take()
    }

    /// The process that runs now ends, whatever it catches.
    pub(crate) fn doom(&self, text: &str) {
        if let Some(current) = &*self.current.borrow() {
            current.record.rare().doom.get_or_insert_with(|| text.to_owned());
        }
    }

    /// Makes a trap for Lua, by its frame.
    pub(crate) fn trap(&self, stack: &Stack<'_>, current: &Current, frame: &mut Frame) -> Made {
        let record = &current.record;
        frame.unwinding = record.unwinding.get();
        frame.atomic = !stack.is_yieldable();
        if frame.atomic && !frame.unwinding && may_park(&frame.trap) {
            return Made::Refused;
        }
        if !record.in_hooks.get() {
            self.budget.refill();
        }
        if self.parking.get() {
            self.held.replace(Some(Box::new(std::mem::replace(&mut frame.trap, Trap::Getpid))));
            self.expects.set(true);
            return Made::Parked;
        }
        match current.gate.trap(frame) {
            Flow::Parked => self.park(None),
            Flow::Done if is_first(&frame.resume) => {
                self.park(Some(std::mem::replace(&mut frame.resume, Resume::Unit)));
            }
            Flow::Done => return Made::Answered,
        }
        self.expects.set(true);
        Made::Parked
    }

    /// Whether the process that runs now must end.
    pub(crate) fn is_doomed(&self) -> bool {
        self.current.borrow().as_ref().is_some_and(|current| current.record.is_doomed())
    }

    /// Why the process that runs now must end, if it must.
    pub(crate) fn doom_text(&self) -> Option<String> {
        self.record().ok().and_then(|record| record.rare_if(|rare| rare.doom.clone()))
    }

    /// A trap was answered with something to do first, or parked, where Lua can't yield. Its
    /// answer, or none if the process ends.
    pub(crate) fn strand(&self, record: &Record) -> Option<Resume> {
        // What was held back can't be made from here; the process ends.
        self.held.take();
        let mut next = self.take_pending().map(|pending| *pending);
        while let Some(Resume::Handler(signal)) = next {
            record.rare().deferred.push(signal);
            next = self.raw_trap(Trap::SigReturn);
        }
        match next {
            Some(Resume::Hooks | Resume::Unwind) | None => {
                self.pending.replace(next.map(Box::new));
                self.doom("a system call waited where Lua can't yield");
                None
            }
            answer => {
                self.parking.set(false);
                answer
            }
        }
    }

    /// Counts a period of instructions against the budget, and charges their time.
    pub(crate) fn count(&self, stack: &Stack<'_>) -> Then {
        let charged = self.budget.charge(self.meter.period);
        if charged.is_err() || self.budget.is_exhausted() || self.is_doomed() {
            let place = place::current(stack).map_or(String::new(), |place| format!("{place}: "));
            self.doom(&format!("{place}{EXHAUSTED}"));
            // Where Lua can't yield, another hook takes the place of the one that counts.
            self.unhooked.set(!stack.is_yieldable());
            return Then::End;
        }
        if !self.meter.cost.is_zero() && self.charge_time(stack) {
            return Then::Park;
        }
        Then::Return(0)
    }

    /// Charges the time of a period. Returns whether the coroutine must yield.
    fn charge_time(&self, stack: &Stack<'_>) -> bool {
        let Ok(record) = self.record() else { return false };
        let owed = record.rare().owed + self.meter.cost;
        record.rare().owed = owed;
        // An answer that has not come to its call yet would be lost.
        let busy = self.parking.get() || self.answer.borrow().is_some();
        if busy || record.unwinding.get() || !stack.is_yieldable() {
            return false;
        }
        record.rare().owed = Span::ZERO;
        match self.raw_trap(Trap::Compute { span: owed }) {
            Some(first) if is_first(&first) => self.park(Some(first)),
            Some(_) => return false,
            None => self.park(None),
        }
        self.expects.set(false);
        true
    }

    /// Notes that the run may differ from others. Told to the kernel once a process.
    ///
    /// # Errors
    ///
    /// If the run is one that must be repeatable.
    pub(crate) fn warn(&self, lua: &Lua) -> mlua::Result<()> {
        let place = || Stack::with(lua, |stack| place::current(stack)).unwrap_or_default();
        let Ok(record) = self.record() else { return Ok(()) };
        const WHAT: &str =
            "pairs over a table with several tables, functions or coroutines as keys";
        if record.warned.get() == Some(false) {
            return Ok(());
        }
        let why = format!("{}: {WHAT}", place());
        record.warned.set(Some(false));
        match self.raw_trap(Trap::Unrepeatable { why }) {
            Some(Resume::Flag(true)) => {
                record.warned.set(Some(true));
                return Err(mlua::Error::runtime(format!("{WHAT}: their order differs")));
            }
            Some(first) if is_first(&first) => self.park(Some(first)),
            Some(_) => {}
            // The library that asks can't yield: the body gets the answer at the next trap.
            None => self.park(None),
        }
        Ok(())
    }

    /// The trap that was made while another one was parking.
    pub(crate) fn take_held(&self) -> Option<Box<Trap>> {
        self.held.take()
    }

    /// A trap made by the runtime itself; `None` if it parked.
    pub(crate) fn raw_trap(&self, trap: Trap) -> Option<Resume> {
        let current = self.current();
        let Current { gate, record, .. } = current.as_ref()?;
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

/// Whether an answer is something to do before the answer.
fn is_first(resume: &Resume) -> bool {
    matches!(resume, Resume::Handler(_) | Resume::Hooks | Resume::Unwind)
}
