use crate::{
    Bytes, Disposition, Errno, Event, Exit, LockId, Pid, ProcessInfo, Scheduling, Signal,
    SignalSet, Span, Tick, TimerId,
};

/// What a process is resumed with: the answer to its trap, or something to do first.
// With a tag of a word, so that what is behind it is copied in the pieces in which it was written. A
// tag of a byte, or one inside the event, has the compiler copy all but that byte, from the next one
// on, and then each copy waits until what it reads has left the store buffer.
#[derive(Debug, Clone, PartialEq)]
#[repr(u64)]
pub enum Resume {
    /// The first resume of a program.
    Start,
    /// Done; nothing to tell.
    Unit,
    /// The trap failed.
    Error(Errno),
    /// `getpid`, `getppid`, `spawn`.
    Pid(Pid),
    /// `lookup`.
    Found(Option<Pid>),
    /// `wait_barrier`: whether this process opened it. Locks: whether the last owner died.
    /// `unrepeatable`: whether the run is one that must be repeatable.
    Flag(bool),
    /// `random`, `choose`, `create_cell`.
    Number(u64),
    /// `nice`.
    Nice(i8),
    /// `sched_getattr`.
    Scheduling(Box<Scheduling>),
    /// `now`.
    Tick(Tick),
    /// `cancel`: the time that was left.
    Span(Span),
    /// `timer`, `alarm`.
    Timer(TimerId),
    /// `create_lock`.
    Lock(LockId),
    /// `getuser`, `getname`.
    Bytes(Bytes),
    /// `receive`, `next_event`, `call`.
    Event(Event),
    /// `peek_event`.
    Peeked(Option<Box<Event>>),
    /// `wait`.
    Exit(Box<Exit>),
    /// `getpinfo`.
    Info(Box<ProcessInfo>),
    /// `getplist`.
    Pids(Vec<Pid>),
    /// `sigaction`: the old one.
    Disposition(Disposition),
    /// `sigprocmask`, `sigpending`.
    Signals(SignalSet),
    /// `sigwait`.
    Signal(Signal),
    /// Run the handler of this signal, then trap `SigReturn`: its answer is the one to the trap
    /// that was interrupted.
    Handler(Signal),
    /// Run the exit hooks, oldest first, then trap `Exit`.
    Hooks,
    /// The process is dead: unwind. Gates of native programs act on it themselves.
    Unwind,
}

impl Resume {
    /// Puts another answer in the place of this one, without a call if this one is `Unit`, as it is
    /// in a fresh frame. An assignment calls what drops the old one: 16 of the instructions of an
    /// empty trap.
    #[inline(always)]
    pub fn set(&mut self, to: Resume) {
        if matches!(self, Resume::Unit) {
            std::mem::forget(std::mem::replace(self, to));
        } else {
            *self = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::Value;

    #[test]
    fn what_is_replaced_is_dropped() {
        let data = Value::list([1]);
        let Value::List(list) = &data else { unreachable!() };
        let mut resume = Resume::Event(Event::sent(Pid::new(1), "x", data.clone()));
        assert_eq!(Rc::strong_count(list), 2);
        resume.set(Resume::Unit);
        assert_eq!(Rc::strong_count(list), 1);
        resume.set(Resume::Pid(Pid::new(1)));
        assert_eq!(resume, Resume::Pid(Pid::new(1)));
    }
}
