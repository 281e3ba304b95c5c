//! The machine: all kernel data, as a plain struct that knows no coroutine.
//!
//! A driver asks [`Machine::next`] who runs, lets that process run until it traps, hands the trap
//! to [`Machine::trap`], and goes on by what that returns. Everything else is behind these two.

mod calls;
mod clock;
mod cpu;
mod deadlock;
mod enter;
mod events;
mod exit;
mod identity;
mod inject;
mod locks;
mod names;
mod process;
mod report;
mod signals;
mod spawn;
mod table;
mod timers;
mod wait;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use hashbrown::HashMap;
use hothouse_abi::{Errno, Exit, Flow, Frame, Name, Pid, Resume, Span, Tick, Trap};
use rustc_hash::FxBuildHasher;

pub use self::deadlock::{Deadlock, Waiter};
pub use self::inject::Action;
pub use self::report::{Counters, CpuReport, Held};

pub(crate) use self::clock::{Alarm, Next};
pub(crate) use self::process::Key;

use self::cpu::Cpu;
use self::locks::Locks;
use self::process::State;
use self::table::Table;
use crate::console::Console;
use crate::error::RunError;
use crate::limits::{Costs, Limits};
use crate::policy::{Policy, Running};
use crate::timers::Timers;
use crate::trace::{Listener, Record, What};

/// What a machine is made of.
pub(crate) struct Settings {
    pub(crate) policy: Box<dyn Policy>,
    pub(crate) cpus: u32,
    pub(crate) seed: u64,
    pub(crate) costs: Costs,
    pub(crate) limits: Limits,
    pub(crate) console: Box<dyn Console>,
    pub(crate) listener: Option<Box<dyn Listener>>,
    /// Whether what cannot be repeated is an error to the program that does it.
    pub(crate) repeatable: bool,
}

/// All kernel data.
pub(crate) struct Machine {
    pub(crate) table: Table,
    pub(crate) now: Tick,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    /// Set when the run cannot go on.
    pub(crate) error: Option<RunError>,
    /// Exit records of processes started from outside, oldest first.
    pub(crate) records: Vec<Exit>,
    pub(crate) unrepeatable: Option<String>,
    /// Processes that count as dead and must be unwound before any program code runs.
    pub(crate) victims: VecDeque<Key>,
    timers: Timers<Alarm>,
    /// Whether a timer may be due now.
    due: bool,
    cpus: Vec<Cpu>,
    /// The CPU whose turn it is at this instant.
    cursor: usize,
    /// How many processes are in the policy's queue.
    ready: usize,
    policy: Box<dyn Policy>,
    /// Kept between calls of `wakeup_preempt`, to save an allocation.
    running: Vec<Running>,
    names: HashMap<Name, Pid, FxBuildHasher>,
    locks: Locks,
    last_timer: u64,
    /// Exit records that no parent has read.
    unread: usize,
    seed: u64,
    costs: Costs,
    console: Box<dyn Console>,
    listener: Option<Box<dyn Listener>>,
    repeatable: bool,
    steps_here: u64,
}

/// What a trap does to its caller.
#[must_use]
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It goes on with this answer.
    Answer(Resume),
    /// What it does next is in its record: see [`Machine::enter`].
    Enter,
    /// It is dead, and among the victims.
    Exit,
}

impl From<Result<Resume, Errno>> for Outcome {
    #[inline]
    fn from(result: Result<Resume, Errno>) -> Outcome {
        Outcome::Answer(result.unwrap_or_else(Resume::Error))
    }
}

impl From<Result<(), Errno>> for Outcome {
    #[inline]
    fn from(result: Result<(), Errno>) -> Outcome {
        result.map(|()| Resume::Unit).into()
    }
}

/// What the driver does after a trap.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Resumes the process: the answer is in the frame.
    Resume,
    /// Unwinds the machine's victims, if there are any, and asks who runs next.
    Leave,
}

impl Machine {
    pub(crate) fn new(settings: Settings) -> Machine {
        Machine {
            table: Table::new(),
            now: Tick::ZERO,
            limits: settings.limits,
            counters: Counters::default(),
            error: None,
            records: Vec::new(),
            unrepeatable: None,
            victims: VecDeque::new(),
            timers: Timers::new(),
            due: false,
            cpus: (0..settings.cpus.max(1)).map(|_| Cpu::default()).collect(),
            cursor: 0,
            ready: 0,
            policy: settings.policy,
            running: Vec::new(),
            names: HashMap::default(),
            locks: Locks::default(),
            last_timer: 0,
            unread: 0,
            seed: settings.seed,
            costs: settings.costs,
            console: settings.console,
            listener: settings.listener,
            repeatable: settings.repeatable,
            steps_here: 0,
        }
    }

    /// Carries out the trap in `frame` for process `key`, which must be running.
    #[inline]
    pub(crate) fn trap(&mut self, key: Key, frame: &mut Frame) -> After {
        self.counters.traps += 1;
        let process = &mut self.table[key];
        process.traps += 1;
        process.debt += self.costs.trap;
        if self.listener.is_some() {
            let (name, kind) = (frame.trap.name(), frame.trap.kind());
            self.record(key, What::Trap { name, kind });
        }
        if frame.unwinding && parks(&frame.trap) {
            frame.resume = Resume::Error(Errno::EINTR);
            return After::Resume;
        }
        match self.dispatch_trap(key, &mut frame.trap) {
            Outcome::Answer(answer) => self.answer(key, answer, frame),
            Outcome::Enter => self.go_on(key, frame),
            Outcome::Exit => After::Leave,
        }
    }

    /// The one dispatch from trap to function.
    #[inline]
    fn dispatch_trap(&mut self, key: Key, trap: &mut Trap) -> Outcome {
        match trap {
            Trap::Getpid => self.getpid(key),
            Trap::Getppid => self.getppid(key),
            Trap::Getuser => self.getuser(key),
            Trap::Setuser { user } => self.setuser(key, user).into(),
            Trap::Getname => self.getname(key),
            Trap::Getplist => self.getplist(),
            Trap::Getpinfo { pid } => self.getpinfo(*pid).into(),
            Trap::Nice { level, pid } => self.nice(key, *level, *pid).into(),
            Trap::Kill { pid, signal } => self.kill(key, *pid, *signal),
            Trap::Sigaction { signal, disposition } => {
                self.sigaction(key, *signal, *disposition).into()
            }
            Trap::Sigprocmask { how, set } => self.sigprocmask(key, *how, *set),
            Trap::Sigpending => self.sigpending(key),
            Trap::Sigwait { set, timeout } => self.sigwait(key, *set, *timeout),
            Trap::SigReturn => self.sigreturn(key),
            Trap::Send { pid, name, data } => self.send(key, *pid, name, data).into(),
            Trap::SendService { service, name, data } => {
                self.send_service(key, service, name, data).into()
            }
            Trap::Receive { filter, timeout } => self.receive(key, filter, *timeout),
            Trap::NextEvent { timeout } => self.next_event(key, *timeout),
            Trap::FilterEvent { names, remote, timeout } => {
                self.filter_event(key, names, *remote, *timeout)
            }
            Trap::PeekEvent => self.peek_event(key),
            Trap::QueueEvent { name, data } => self.queue_event(key, name, data).into(),
            Trap::Call { pid, name, data, timeout } => self.call(key, *pid, name, data, *timeout),
            Trap::Reply { pid, token, name, data } => {
                self.reply(key, *pid, *token, name, data).into()
            }
            Trap::Register { name } => self.register(key, name).into(),
            Trap::Unregister { name } => self.unregister(key, name).into(),
            Trap::Lookup { name } => self.lookup(name),
            Trap::Spawn { name, program } => self.spawn(key, name, program).into(),
            Trap::Exit { status } => self.exit(key, status),
            Trap::AtExit { hooks } => self.at_exit(key, *hooks),
            Trap::Wait { pid, timeout } => self.wait(key, *pid, *timeout),
            Trap::Notices { on } => self.notices(key, *on),
            Trap::Monitor { pid } => self.monitor(key, *pid).into(),
            Trap::Demonitor { pid } => self.demonitor(key, *pid),
            Trap::Yield => self.yield_now(key),
            Trap::Now => Outcome::Answer(Resume::Tick(self.now)),
            Trap::Sleep { span } => self.sleep_until(key, self.now + *span),
            Trap::SleepUntil { tick } => self.sleep_until(key, *tick),
            Trap::Compute { span } => self.compute(key, *span),
            Trap::Timer { span } => self.timer(key, self.now + *span, false).into(),
            Trap::Alarm { at } => self.timer(key, *at, true).into(),
            Trap::Cancel { id } => self.cancel(key, *id).into(),
            Trap::Log { text } => self.log(key, text),
            Trap::Diagnose { text } => self.diagnose(key, text),
            Trap::Unrepeatable { why } => self.note_unrepeatable(key, why),
            Trap::Random => self.random(key),
            Trap::CreateLock { kind } => self.create_lock(key, *kind).into(),
            Trap::DestroyLock { id } => self.destroy_lock(*id).into(),
            Trap::Lock { id, timeout } => self.lock(key, *id, *timeout),
            Trap::TryLock { id } => self.try_lock(key, *id).into(),
            Trap::Unlock { id } => self.unlock(key, *id).into(),
            Trap::Acquire { id, timeout } => self.acquire(key, *id, *timeout),
            Trap::TryAcquire { id } => self.try_acquire(key, *id).into(),
            Trap::Release { id, permits } => self.release(key, *id, *permits).into(),
            Trap::WaitCondition { id, mutex, timeout } => {
                self.wait_condition(key, *id, *mutex, *timeout)
            }
            Trap::Notify { id, all } => self.notify(key, *id, *all).into(),
            Trap::WaitBarrier { id, timeout } => self.wait_barrier(key, *id, *timeout),
        }
    }

    /// Answers the trap of a running process, unless something comes first.
    #[inline]
    fn answer(&mut self, key: Key, answer: Resume, frame: &mut Frame) -> After {
        let process = &mut self.table[key];
        let undisturbed = process.pending.difference(process.mask).is_empty()
            && process.debt.is_zero()
            && matches!(process.state, State::Running(_));
        if undisturbed || frame.unwinding || process.state == State::Dead {
            frame.resume = answer;
            return After::Resume;
        }
        process.answer = Some(answer);
        self.go_on(key, frame)
    }

    /// Lets a process go on that has something in its record to do.
    fn go_on(&mut self, key: Key, frame: &mut Frame) -> After {
        if !matches!(self.table[key].state, State::Running(_)) {
            return After::Leave;
        }
        match self.enter(key) {
            enter::Entry::Run(answer) => {
                frame.resume = answer;
                After::Resume
            }
            enter::Entry::Left => After::Leave,
        }
    }

    /// Carries out a trap that a destructor of a dead process makes while it is unwound.
    pub(crate) fn trap_of_the_dying(&mut self, key: Key, frame: &mut Frame) -> Flow {
        self.counters.traps += 1;
        if parks(&frame.trap) {
            frame.resume = Resume::Error(Errno::EINTR);
            return Flow::Done;
        }
        match self.dispatch_trap(key, &mut frame.trap) {
            Outcome::Answer(answer) => {
                frame.resume = answer;
                Flow::Done
            }
            Outcome::Enter | Outcome::Exit => Flow::Parked,
        }
    }

    /// Tells the listener, if there is one.
    #[inline]
    pub(crate) fn record(&mut self, key: Key, what: What<'_>) {
        if let Some(listener) = &mut self.listener {
            let process = &self.table[key];
            let cpu = match process.state {
                State::Running(cpu) => Some(cpu),
                _ => None,
            };
            listener.record(&Record { time: self.now, cpu, pid: process.pid(), what });
        }
    }

    /// Tells the listener of something that is the kernel's own doing.
    pub(crate) fn record_kernel(&mut self, what: What<'_>) {
        if let Some(listener) = &mut self.listener {
            listener.record(&Record { time: self.now, cpu: None, pid: Pid::KERNEL, what });
        }
    }

    /// `None` is for ever; a deadline past the end of time is, too.
    fn deadline(&self, timeout: Option<Span>) -> Option<Tick> {
        timeout.map(|span| self.now + span).filter(|&deadline| deadline < Tick::MAX)
    }
}

/// Whether a trap may park its caller, or make it wait for a CPU.
fn parks(trap: &Trap) -> bool {
    matches!(
        trap,
        Trap::Receive { .. }
            | Trap::NextEvent { .. }
            | Trap::FilterEvent { .. }
            | Trap::Call { .. }
            | Trap::Wait { .. }
            | Trap::Sigwait { .. }
            | Trap::Yield
            | Trap::Sleep { .. }
            | Trap::SleepUntil { .. }
            | Trap::Compute { .. }
            | Trap::Lock { .. }
            | Trap::Acquire { .. }
            | Trap::WaitCondition { .. }
            | Trap::WaitBarrier { .. }
    )
}
