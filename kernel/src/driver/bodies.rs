//! The bodies of processes: how each kind is started, resumed, and brought to its end.

use std::cell::{Cell, RefCell, RefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use hothouse_abi::{Body, Code, ExitStatus, Flow, Frame, Gate, Pid, Resume, Signal, Step, Trap};

use crate::machine::{After, Key, Machine};
use crate::native::{Arena, Came, Fault, FaultKind, Native};
use crate::trace::What;

/// How often a process that swallows its unwinding is told again.
const TRIES: u32 = 3;

/// The machine, as stepped bodies reach it from the kernel's stack.
pub(super) struct Shared {
    machine: RefCell<Machine>,
    /// The process that is being stepped.
    stepped: Cell<Key>,
    dying: Cell<bool>,
}

impl Shared {
    pub(super) fn new(machine: Machine) -> Rc<Shared> {
        Rc::new(Shared {
            machine: RefCell::new(machine),
            stepped: Cell::new(0),
            dying: Cell::new(false),
        })
    }

    #[inline]
    pub(super) fn machine(&self) -> RefMut<'_, Machine> {
        self.machine.borrow_mut()
    }
}

impl Gate for Shared {
    fn trap(&self, frame: &mut Frame) -> Flow {
        let key = self.stepped.get();
        let mut machine = self.machine();
        if self.dying.get() {
            return machine.trap_of_the_dying(key, frame);
        }
        let after = machine.trap(key, frame);
        machine.check();
        match after {
            After::Resume if machine.victims.is_empty() => Flow::Done,
            After::Resume => {
                // The victims are the driver's to unwind, before this process goes on.
                machine.table[key].set_answer(std::mem::replace(&mut frame.resume, Resume::Unit));
                Flow::Parked
            }
            After::Leave => Flow::Parked,
        }
    }
}

/// All bodies, by the key of their process.
pub(super) struct Bodies {
    pub(super) slots: Vec<Slot>,
    arena: Arena,
    gate: Rc<dyn Gate>,
    /// Turns while the queue was long, see [`prefetch`](Bodies::prefetch).
    pub(super) turns: u32,
}

/// The body of one process.
pub(super) enum Slot {
    /// It has not run, or there is no process.
    Empty,
    Native(Native),
    Stepped(Box<dyn Body>),
}

/// How native processes left off.
enum Left {
    /// For this process, if it is known who is next.
    To(Option<Key>),
    /// One has ended.
    Ended,
}

impl Bodies {
    pub(super) fn new(arena: Arena, shared: &Rc<Shared>) -> Bodies {
        Bodies { slots: Vec::new(), arena, gate: shared.clone(), turns: 0 }
    }

    /// Stacks in use.
    pub(super) fn stacks(&self) -> usize {
        self.arena.in_use()
    }

    /// Gives back the memory of free slots and stacks, with no process in a slot from `places` on.
    pub(super) fn trim(&mut self, places: usize) {
        self.slots.truncate(places);
        self.slots.shrink_to_fit();
        self.arena.trim();
    }

    /// Lets a process run until it leaves the machine's hands again, then the next one, and so on
    /// until `stop` is raised, the awaited one has ended, or there is something else to do first.
    pub(super) fn run(
        &mut self,
        shared: &Shared,
        key: Key,
        stop: &AtomicBool,
        awaited: Option<Pid>,
    ) {
        let mut next = Some(key);
        if shared.machine().are_some_soon() {
            self.prefetch_sleepers(&mut shared.machine());
        }
        while let Some(key) = next {
            let is_new = !matches!(self.slots.get(key), Some(Slot::Native(_) | Slot::Stepped(_)));
            if is_new && !self.start(shared, key) {
                return;
            }
            next = match &mut self.slots[key] {
                Slot::Native(native) => {
                    if !is_new {
                        shared.machine().give_answer(key, &mut native.frame().resume);
                    }
                    match self.run_native(shared, key, stop) {
                        Left::To(next) => next,
                        Left::Ended => after_an_end(&mut shared.machine(), stop, awaited),
                    }
                }
                Slot::Stepped(_) => {
                    if self.step(shared, key) {
                        after_leaving(&mut shared.machine(), stop)
                    } else {
                        after_an_end(&mut shared.machine(), stop, awaited)
                    }
                }
                Slot::Empty => unreachable!("invariant: who was started has a body"),
            };
        }
    }

    /// Before the first run: this is when a native process gets its stack. Returns whether it got
    /// one.
    #[inline(never)]
    fn start(&mut self, shared: &Shared, key: Key) -> bool {
        if key >= self.slots.len() {
            self.slots.resize_with(key + 1, || Slot::Empty);
        }
        let code = shared.machine().table[key].code.take();
        let code = code.expect("invariant: who has no body has its code");
        shared.machine().record(key, What::Started);
        match code {
            Code::Native(main) => match self.arena.take() {
                Some(stack) => {
                    shared.machine().take_answer(key);
                    self.slots[key] = Slot::Native(Native::start(main, stack));
                }
                None => {
                    drop_quietly(main);
                    let why = "there is no memory for its stack (ENOMEM)".to_owned();
                    shared.machine().ended(key, ExitStatus::Failed(why));
                    return false;
                }
            },
            Code::Stepped(body) => self.slots[key] = Slot::Stepped(body),
        }
        true
    }

    /// Lets a native process run until it leaves, and those after it as long as they are native and
    /// have run before.
    ///
    /// Everything from the choice of the next one to the switch is one function: a processor predicts
    /// returns by the calls before them, and each return between two switches would be mispredicted.
    #[inline(always)]
    fn run_native(&mut self, shared: &Shared, mut key: Key, stop: &AtomicBool) -> Left {
        // Kept while a process runs: on its own stack it reaches the machine by its gate alone.
        let mut machine = shared.machine();
        loop {
            let Slot::Native(native) = &mut self.slots[key] else {
                unreachable!("invariant: a native body stays one")
            };
            match native.resume() {
                Came::Trapped => {}
                came => {
                    drop(machine);
                    self.came_to_its_end(shared, key, came);
                    return Left::Ended;
                }
            }
            let after = machine.trap(key, native.frame());
            machine.check();
            match after {
                After::Resume if machine.victims.is_empty() => {
                    if let Some(queued) = machine.queued.take().and_then(|key| self.native(key)) {
                        queued.prefetch();
                    }
                }
                After::Resume => {
                    drop(machine);
                    if !self.unwind_and_return(shared, key) {
                        return Left::To(None);
                    }
                    machine = shared.machine();
                }
                After::Leave => {
                    let Some(next) = after_leaving(&mut machine, stop) else {
                        return Left::To(None);
                    };
                    key = next;
                    self.prefetch(&machine);
                    match self.slots.get_mut(key) {
                        Some(Slot::Native(native)) => {
                            machine.give_answer(key, &mut native.frame().resume);
                        }
                        _ => return Left::To(Some(key)),
                    }
                }
            }
        }
    }

    /// Unwinds the victims of a native process's trap. Returns whether the process goes on: their
    /// destructors may have killed, signaled or preempted it.
    #[cold]
    #[inline(never)]
    fn unwind_and_return(&mut self, shared: &Shared, key: Key) -> bool {
        let Slot::Native(native) = &mut self.slots[key] else {
            unreachable!("invariant: a native body stays one")
        };
        let frame = native.frame();
        let unwinding = frame.unwinding;
        if !unwinding {
            let answer = std::mem::replace(&mut frame.resume, Resume::Unit);
            shared.machine().table[key].set_answer(answer);
        }
        self.unwind_victims(shared);
        let Slot::Native(native) = &mut self.slots[key] else { return false };
        // A destructor of its own always goes on.
        unwinding || shared.machine().go_on(key, native.frame()) == After::Resume
    }

    /// A native process ended by itself, or was cut off.
    fn came_to_its_end(&mut self, shared: &Shared, key: Key, came: Came) {
        self.finish(key);
        let mut machine = shared.machine();
        match came {
            Came::Trapped => unreachable!("invariant: a trap is no end"),
            Came::Ended(status) => {
                if let ExitStatus::Panicked(message) = &status {
                    machine.say(key, &format!("panicked: {message}"));
                }
                machine.returned(key, status);
            }
            Came::Faulted(fault) => {
                tell_fault(&mut machine, key, &fault, "");
                machine.counters.abandoned += 1;
                machine.record(key, What::Faulted { signal: fault.signal });
                machine.returned(key, fault.status());
            }
        }
    }

    /// Gives the stack of an ended native process back.
    fn finish(&mut self, key: Key) {
        if let Slot::Native(native) = std::mem::replace(&mut self.slots[key], Slot::Empty) {
            native.finish(&mut self.arena);
        }
    }

    /// Lets a stepped process run until it leaves. Returns whether it lives.
    fn step(&mut self, shared: &Shared, key: Key) -> bool {
        let answer = shared.machine().take_answer(key);
        shared.stepped.set(key);
        let Slot::Stepped(body) = &mut self.slots[key] else {
            unreachable!("invariant: a stepped body stays one")
        };
        if answer == Resume::Hooks {
            tell_place(shared, key, &**body);
        }
        let gate = &self.gate;
        let step = catch_unwind(AssertUnwindSafe(|| body.resume(gate, answer)));
        let status = match step {
            Ok(Step::Parked) => return true,
            Ok(Step::Ended(status)) => status,
            Err(payload) => {
                drop_quietly(payload);
                ExitStatus::Panicked("the runtime of a stepped program panicked".to_owned())
            }
        };
        if let Slot::Stepped(body) = std::mem::replace(&mut self.slots[key], Slot::Empty) {
            drop_quietly(body);
        }
        shared.machine().returned(key, status);
        false
    }

    /// Unwinds and buries all that are dead, before any other program code runs.
    pub(super) fn unwind_victims(&mut self, shared: &Shared) {
        loop {
            let mut machine = shared.machine();
            let Some(key) = machine.victims.pop_front() else { return };
            let code = machine.table[key].code.take();
            drop(machine);
            match code {
                Some(code) => self.drop_code(code),
                None => self.unwind(shared, key),
            }
            shared.machine().bury(key);
        }
    }

    /// Drops a program that never ran: a native one on a stack, since its destructors are program
    /// code.
    fn drop_code(&mut self, code: Code) {
        match code {
            Code::Stepped(body) => drop_quietly(body),
            Code::Native(main) => {
                let Some(stack) = self.arena.take() else { return drop_quietly(main) };
                let mut native = Native::start(main, stack);
                native.cancel();
                match native.resume() {
                    Came::Trapped => native.abandon(&mut self.arena),
                    Came::Ended(_) | Came::Faulted(_) => native.finish(&mut self.arena),
                }
            }
        }
    }

    fn unwind(&mut self, shared: &Shared, key: Key) {
        shared.machine().steps_dying = 0;
        match self.slots.get_mut(key).map(|slot| std::mem::replace(slot, Slot::Empty)) {
            Some(Slot::Native(native)) => self.unwind_native(shared, key, native),
            Some(Slot::Stepped(body)) => self.unwind_stepped(shared, key, body),
            Some(Slot::Empty) | None => {}
        }
    }

    fn unwind_native(&mut self, shared: &Shared, key: Key, mut native: Native) {
        let mut told = 0;
        let mut first = true;
        loop {
            let frame = native.frame();
            if !frame.unwinding {
                if told > TRIES {
                    break;
                }
                told += 1;
                frame.resume = Resume::Unwind;
            } else if first {
                // A destructor that ran for a panic killed its own process. One that asked to
                // exit must not be returned to.
                if matches!(frame.trap, Trap::Exit { .. }) {
                    break;
                }
                frame.resume = Resume::Unit;
            } else if shared.machine().trap_of_the_dying(key, frame) == Flow::Parked {
                break;
            }
            first = false;
            match native.resume() {
                Came::Trapped => {}
                Came::Ended(_) => return native.finish(&mut self.arena),
                Came::Faulted(fault) => {
                    native.finish(&mut self.arena);
                    let mut machine = shared.machine();
                    tell_fault(&mut machine, key, &fault, " in a destructor");
                    machine.counters.abandoned += 1;
                    return;
                }
            }
        }
        native.abandon(&mut self.arena);
        let mut machine = shared.machine();
        machine.counters.abandoned += 1;
        machine.record(key, What::Abandoned);
        machine.say(key, "would not unwind: its stack is given up, with all that is on it");
    }

    fn unwind_stepped(&mut self, shared: &Shared, key: Key, mut body: Box<dyn Body>) {
        let status = shared.machine().table[key].rare().status.clone();
        if status != Some(ExitStatus::Signaled(Signal::SIGKILL)) {
            tell_place(shared, key, &*body);
            shared.stepped.set(key);
            shared.dying.set(true);
            let gate = &self.gate;
            let step = catch_unwind(AssertUnwindSafe(|| body.resume(gate, Resume::Unwind)));
            shared.dying.set(false);
            if let Ok(Step::Ended(ExitStatus::Failed(text))) = step {
                shared.machine().say(key, &text);
            }
        }
        drop_quietly(body);
    }
}

/// Who runs next, unless something else is to be done first.
#[inline(always)]
fn after_leaving(machine: &mut Machine, stop: &AtomicBool) -> Option<Key> {
    if stop.load(Relaxed) {
        return None;
    }
    let next = machine.next_at_once();
    machine.check();
    next
}

/// The same when a process has ended, which may be the awaited one.
fn after_an_end(machine: &mut Machine, stop: &AtomicBool, awaited: Option<Pid>) -> Option<Key> {
    let over = awaited.is_some_and(|pid| machine.is_over(pid));
    if over || machine.table.is_sparse() { None } else { after_leaving(machine, stop) }
}

/// Says by what, where and in what a process was cut off. One that makes no more calls ends the run.
fn tell_fault(machine: &mut Machine, key: Key, fault: &Fault, in_what: &str) {
    let place = fault.place();
    let at = place.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
    machine.say(key, &format!("ended by {}{in_what}: {}{at}", fault.signal, fault.what));
    machine.table[key].rare().place = place;
    if fault.what == FaultKind::Unresponsive {
        machine.unresponsive(key, fault.functions().join("\n  "));
    }
}

/// Says where a program was, when a signal that tells it ends the process.
fn tell_place(shared: &Shared, key: Key, body: &dyn Body) {
    let mut machine = shared.machine();
    let rare = machine.table[key].rare.as_mut();
    if !rare.is_some_and(|rare| std::mem::take(&mut rare.tells_place)) {
        return;
    }
    drop(machine);
    if let Some(place) = body.place() {
        shared.machine().say(key, &format!("it was at {place}"));
    }
}

/// Drops what holds code of others, whose destructors may panic.
fn drop_quietly<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // A payload whose own drop panics is leaked.
        std::mem::forget(payload);
    }
}
