//! The machine: all kernel data, as a plain struct that knows no coroutine.
//!
//! A driver asks [`Machine::next`] who runs, lets that process run until it traps, hands the trap
//! to [`Machine::trap`], and goes on by what that returns. Everything else is behind these two.

mod calls;
mod clock;
mod conditions;
mod cpu;
mod deadlock;
mod effect;
mod enter;
mod events;
mod exit;
mod explored;
mod faulty;
mod identity;
mod inject;
mod interrupted;
#[cfg(feature = "invariants")]
mod invariants;
mod locks;
mod names;
mod outcome;
mod process;
mod records;
mod report;
mod scheduler;
mod scheduling;
mod siblings;
mod signals;
mod spawn;
mod table;
mod timers;
mod touches;
mod trim;
mod turns;
mod urgency;
mod wait;
mod waiters;

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
pub(crate) use self::outcome::{After, Outcome};
pub(crate) use self::process::{KEPT_ANSWER, Key};

use self::cpu::Cpu;
use self::explored::{ByOracle, Explored};
use self::faulty::Injector;
use self::locks::Locks;
use self::outcome::{Put, Verdict};
use self::process::State;
use self::scheduler::Scheduler;
use self::siblings::Link;
use self::table::Table;
use crate::console::Console;
use crate::error::RunError;
use crate::faults::Faults;
use crate::limits::{Costs, Limits};
use crate::oracle::{Exploration, Oracle};
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
    pub(crate) oracle: Option<(Box<dyn Oracle>, Exploration)>,
    pub(crate) faults: Faults,
    /// Whether what cannot be repeated is an error to the program that does it.
    pub(crate) repeatable: bool,
    /// Whether those whose reservation does not fit are refused.
    pub(crate) admission: bool,
}

/// All kernel data.
pub(crate) struct Machine {
    pub(crate) table: Table,
    pub(crate) now: Tick,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    /// Set when the run cannot go on.
    pub(crate) error: Option<RunError>,
    /// Exit records of the kernel's children, which are those from outside and orphans, oldest
    /// first.
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
    /// How many CPUs are idle. Of another width than `ready`, with which it changes: the compiler
    /// would make one access of 16 bytes of both, which waits until the last write of 8 has left the
    /// store buffer.
    idle: u32,
    /// How many processes are in the policy's queue.
    ready: usize,
    /// Who was queued last and runs soon, for the driver to fetch its stack ahead.
    pub(crate) queued: Link,
    /// Who was queued while CPUs were idle, and may preempt once those have picked.
    woken: Vec<Key>,
    policy: Scheduler,
    /// Whether the policy ever takes a CPU from its process for one that woke.
    preempts: bool,
    /// Whether the policy serves those of no class alone.
    has_classes: bool,
    /// Kept between calls of `wakeup_preempt`, to save an allocation.
    running: Vec<Running>,
    names: HashMap<Name, Pid, FxBuildHasher>,
    locks: Locks,
    last_timer: u64,
    last_cell: u64,
    /// Exit records that no parent has read.
    unread: usize,
    seed: u64,
    costs: Costs,
    console: Box<dyn Console>,
    listener: Option<Box<dyn Listener>>,
    /// Set when an oracle decides.
    explored: Option<Box<Explored>>,
    /// Whether there is a listener or an oracle, who must see each trap.
    watched: bool,
    /// What is to go wrong.
    faults: Option<Box<Injector>>,
    /// Whether there is one CPU, and the policy says who gets it.
    is_plain: bool,
    repeatable: bool,
    admission: bool,
    steps_here: u64,
    /// Whether the clock moves on without asking the driver.
    pub(crate) jumps: bool,
    /// Traps of the process that is being unwound.
    pub(crate) steps_dying: u64,
}

impl Machine {
    pub(crate) fn new(mut settings: Settings) -> Machine {
        if settings.oracle.is_some() {
            settings.policy = Box::new(ByOracle);
        }
        settings.policy.start(settings.cpus.max(1));
        let preempts = settings.policy.preempts();
        Machine {
            table: Table::new(settings.limits.processes),
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
            idle: settings.cpus.max(1),
            ready: 0,
            queued: Link::default(),
            woken: Vec::new(),
            policy: Scheduler::new(settings.policy),
            preempts,
            has_classes: false,
            running: Vec::new(),
            names: HashMap::default(),
            locks: Locks::default(),
            last_timer: 0,
            last_cell: 0,
            unread: 0,
            seed: settings.seed,
            costs: settings.costs,
            console: settings.console,
            watched: settings.listener.is_some()
                || settings.oracle.is_some()
                || !settings.faults.rules.is_empty(),
            faults: (!settings.faults.rules.is_empty())
                .then(|| Injector::new(settings.faults, settings.seed)),
            is_plain: settings.cpus <= 1 && settings.oracle.is_none(),
            explored: settings.oracle.map(Explored::new),
            listener: settings.listener,
            repeatable: settings.repeatable,
            admission: settings.admission,
            steps_here: 0,
            jumps: false,
            steps_dying: 0,
        }
    }

    /// Checks what always holds, if the kernel was built with the feature `invariants`.
    #[inline(always)]
    pub(crate) fn check(&self) {
        #[cfg(feature = "invariants")]
        self.check_invariants();
    }

    /// Changes what the kernel costs from now on.
    pub(crate) fn set_costs(&mut self, costs: Costs) {
        self.costs = costs;
    }

    /// Carries out the trap in `frame` for process `key`, which must be running.
    #[inline(always)]
    pub(crate) fn trap(&mut self, key: Key, frame: &mut Frame) -> After {
        self.counters.traps += 1;
        self.steps_here += 1;
        if self.steps_here > self.limits.steps_at_one_instant {
            return self.stop_livelock(key);
        }
        let process = &mut self.table[key];
        process.traps += 1;
        if !self.costs.trap.is_zero() {
            process.debt += self.costs.trap;
        }
        if self.watched
            && let Some(after) = self.trap_watched(key, frame)
        {
            return after;
        }
        if frame.unwinding && frame.trap.parks() {
            frame.resume = Resume::Error(Errno::EINTR);
            return After::Resume;
        }
        let verdict = self.dispatch_trap(key, &mut frame.trap, &mut frame.resume);
        self.follow(key, frame, verdict)
    }

    /// What comes before a trap when somebody listens, decides or injects faults. `None`: it is
    /// carried out now.
    #[cold]
    fn trap_watched(&mut self, key: Key, frame: &mut Frame) -> Option<After> {
        if self.show_or_hold(key, frame) {
            return Some(After::Leave);
        }
        if frame.unwinding {
            return None;
        }
        let verdict = self.fault_at_trap(key, &mut frame.trap, &mut frame.resume)?;
        Some(self.follow(key, frame, verdict))
    }

    /// What a trap that was carried out comes to.
    #[inline(always)]
    fn follow(&mut self, key: Key, frame: &mut Frame, verdict: Verdict) -> After {
        match verdict {
            Verdict::Answered => self.answered(key, frame),
            Verdict::Enter => self.go_on(key, frame),
            Verdict::Wait => match self.table[key].state {
                State::Running(cpu) if self.table[key].is_free() => {
                    self.park_code(key, cpu);
                    After::Leave
                }
                _ => self.go_on(key, frame),
            },
            Verdict::Leave | Verdict::Exit => After::Leave,
        }
    }

    /// The one dispatch from trap to function.
    #[inline(always)]
    fn dispatch_trap(&mut self, key: Key, trap: &mut Trap, answer: &mut Resume) -> Verdict {
        match trap {
            Trap::Getpid => self.getpid(key).put(answer),
            Trap::Getppid => self.getppid(key).put(answer),
            Trap::Getuser => self.getuser(key).put(answer),
            Trap::Setuser { user } => self.setuser(key, user).put(answer),
            Trap::Getname => self.getname(key).put(answer),
            Trap::Getplist => self.getplist().put(answer),
            Trap::Getpinfo { pid } => self.getpinfo(*pid).put(answer),
            Trap::Nice { level, pid } => self.nice(key, *level, *pid).put(answer),
            Trap::SchedSetattr { pid, scheduling } => {
                self.sched_setattr(key, *pid, scheduling).put(answer)
            }
            Trap::SchedGetattr { pid } => self.sched_getattr(key, *pid).put(answer),
            Trap::BeginJob { release, deadline } => {
                self.begin_job(key, *release, *deadline).put(answer)
            }
            Trap::EndJob => self.end_job(key).put(answer),
            Trap::Kill { pid, signal } => self.kill(key, *pid, *signal).put(answer),
            Trap::Sigaction { signal, disposition } => {
                self.sigaction(key, *signal, *disposition).put(answer)
            }
            Trap::Sigprocmask { how, set } => self.sigprocmask(key, *how, *set).put(answer),
            Trap::Sigpending => self.sigpending(key).put(answer),
            Trap::Sigwait { set, timeout } => self.sigwait(key, *set, *timeout).put(answer),
            Trap::SigReturn => self.sigreturn(key).put(answer),
            Trap::Send { pid, name, data } => self.send(key, *pid, name, data).put(answer),
            Trap::SendService { service, name, data } => {
                self.send_service(key, service, name, data).put(answer)
            }
            Trap::Receive { filter, timeout } => {
                self.receive(key, filter, *timeout, answer).put(answer)
            }
            Trap::NextEvent { timeout } => self.next_event(key, *timeout).put(answer),
            Trap::FilterEvent { names, remote, timeout } => {
                self.filter_event(key, names, *remote, *timeout).put(answer)
            }
            Trap::PeekEvent => self.peek_event(key).put(answer),
            Trap::QueueEvent { name, data } => self.queue_event(key, name, data).put(answer),
            Trap::Call { pid, name, data, timeout } => {
                self.call(key, *pid, name, data, *timeout).put(answer)
            }
            Trap::Reply { pid, token, name, data } => {
                self.reply(key, *pid, *token, name, data).put(answer)
            }
            Trap::Register { name } => self.register(key, name).put(answer),
            Trap::Unregister { name } => self.unregister(key, name).put(answer),
            Trap::Lookup { name } => self.lookup(name).put(answer),
            Trap::Spawn { name, program } => self.spawn(key, name, program).put(answer),
            Trap::Exit { status } => self.exit(key, status).put(answer),
            Trap::AtExit { hooks } => self.at_exit(key, *hooks).put(answer),
            Trap::Wait { pid, timeout } => self.wait(key, *pid, *timeout, answer).put(answer),
            Trap::Notices { on } => self.notices(key, *on).put(answer),
            Trap::Monitor { pid } => self.monitor(key, *pid).put(answer),
            Trap::Demonitor { pid } => self.demonitor(key, *pid).put(answer),
            Trap::Yield => self.yield_now(key).put(answer),
            Trap::Now => Resume::Tick(self.now).put(answer),
            Trap::Sleep { span } => self.sleep_until(key, self.now + *span).put(answer),
            Trap::SleepUntil { tick } => self.sleep_until(key, *tick).put(answer),
            Trap::Compute { span } => self.compute(key, *span).put(answer),
            Trap::Timer { span } => self.timer(key, self.now + *span, false).put(answer),
            Trap::Alarm { at } => self.timer(key, *at, true).put(answer),
            Trap::Cancel { id } => self.cancel(key, *id).put(answer),
            Trap::Log { text } => self.log(key, text).put(answer),
            Trap::Diagnose { text } => self.diagnose(key, text).put(answer),
            Trap::Unrepeatable { why } => self.note_unrepeatable(key, why).put(answer),
            Trap::Random => self.random(key).put(answer),
            Trap::Choose { last } => self.choose_input(key, *last).put(answer),
            Trap::CreateCell => self.create_cell().put(answer),
            Trap::Access { .. } => Resume::Unit.put(answer),
            Trap::CreateLock { kind } => self.create_lock(key, *kind).put(answer),
            Trap::DestroyLock { id } => self.destroy_lock(*id).put(answer),
            Trap::Lock { id, timeout } => self.lock(key, *id, *timeout).put(answer),
            Trap::TryLock { id } => self.try_lock(key, *id).put(answer),
            Trap::Unlock { id } => self.unlock(key, *id).put(answer),
            Trap::Acquire { id, timeout } => self.acquire(key, *id, *timeout).put(answer),
            Trap::TryAcquire { id } => self.try_acquire(key, *id).put(answer),
            Trap::Release { id, permits } => self.release(key, *id, *permits).put(answer),
            Trap::WaitCondition { id, mutex, timeout } => {
                self.wait_condition(key, *id, *mutex, *timeout).put(answer)
            }
            Trap::Notify { id, all } => self.notify(key, *id, *all).put(answer),
            Trap::WaitBarrier { id, timeout } => self.wait_barrier(key, *id, *timeout).put(answer),
        }
    }

    /// Returns to a running process whose trap was answered, unless something comes first.
    #[inline(always)]
    fn answered(&mut self, key: Key, frame: &mut Frame) -> After {
        let process = &self.table[key];
        if process.is_free() && matches!(process.state, State::Running(_)) {
            return After::Resume;
        }
        self.answered_later(key, frame)
    }

    #[inline(never)]
    fn answered_later(&mut self, key: Key, frame: &mut Frame) -> After {
        if frame.unwinding || self.table[key].state == State::Dead {
            return After::Resume;
        }
        self.table[key].set_answer(std::mem::replace(&mut frame.resume, Resume::Unit));
        self.go_on(key, frame)
    }

    /// Lets a process go on that has something in its record to do.
    pub(crate) fn go_on(&mut self, key: Key, frame: &mut Frame) -> After {
        if !matches!(self.table[key].state, State::Running(_)) {
            return After::Leave;
        }
        match self.enter(key) {
            enter::Entry::Run => {
                self.give_answer(key, &mut frame.resume);
                After::Resume
            }
            enter::Entry::Left => After::Leave,
        }
    }

    /// Carries out a trap that a destructor of a dead process makes while it is unwound.
    /// [`Flow::Parked`]: the process is not to go on.
    pub(crate) fn trap_of_the_dying(&mut self, key: Key, frame: &mut Frame) -> Flow {
        self.counters.traps += 1;
        self.steps_dying += 1;
        if self.steps_dying > self.limits.steps_at_one_instant {
            return Flow::Parked;
        }
        if frame.trap.parks() {
            frame.resume = Resume::Error(Errno::EINTR);
            return Flow::Done;
        }
        // It has no second end, and its exit hooks are over.
        if matches!(frame.trap, Trap::Exit { .. }) {
            return Flow::Parked;
        }
        match self.dispatch_trap(key, &mut frame.trap, &mut frame.resume) {
            Verdict::Answered => Flow::Done,
            Verdict::Enter | Verdict::Wait | Verdict::Leave | Verdict::Exit => Flow::Parked,
        }
    }

    /// Tells the listener, if there is one.
    #[inline(always)]
    pub(crate) fn record(&mut self, key: Key, what: What<'_>) {
        if self.listener.is_some() {
            let (time, cpu, pid) = (self.now, None, Pid::KERNEL);
            self.record_of(key, &mut Record { time, cpu, pid, what });
        }
    }

    /// Completes a record and tells it. What happened is made in its place there: a copy would wait
    /// for the store buffer, a sixth of a message with a listener.
    #[inline(never)]
    fn record_of(&mut self, key: Key, record: &mut Record<'_>) {
        let Some(listener) = &mut self.listener else { return };
        let process = &self.table[key];
        record.pid = process.pid();
        if let State::Running(cpu) = process.state {
            record.cpu = Some(cpu);
        }
        listener.record(record);
    }

    /// Tells the listener of something that is the kernel's own doing.
    pub(crate) fn record_kernel(&mut self, what: What<'_>) {
        if let Some(listener) = &mut self.listener {
            listener.record(&Record { time: self.now, cpu: None, pid: Pid::KERNEL, what });
        }
    }

    /// `None` is for ever, which is until the end of time.
    fn deadline(&self, timeout: Option<Span>) -> Tick {
        timeout.map_or(Tick::MAX, |span| self.now + span)
    }
}
