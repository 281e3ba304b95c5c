use crate::{
    Bytes, Disposition, Errno, Event, Exit, LockId, Pid, ProcessInfo, Scheduling, Signal,
    SignalSet, Span, Tick, TimerId,
};

/// What a process is resumed with: the answer to its trap, or something to do first.
#[derive(Debug, Clone, PartialEq)]
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
    /// `random`.
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
