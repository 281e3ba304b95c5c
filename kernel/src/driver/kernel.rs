//! The kernel as the host holds it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hothouse_abi::{
    Errno, Name, Pid, ProcessInfo, Program, Signal, SignalNumber, Span, Tick, Value,
};

use super::bodies::{Bodies, Shared};
use super::builder::Builder;
use super::realtime::Pace;
use super::report::{End, Report};
use crate::limits::Costs;
use crate::machine::{Action, Counters, Held, Next};
use crate::memory::give_back_heap;
use crate::native::Watch;
use crate::trace::TraceHash;

/// A machine with its processes, driven by the host.
///
/// It is not `Send`; many can run side by side, each on a thread of its own.
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<hothouse_kernel::Kernel>();
/// ```
///
/// ```
/// use hothouse_abi::{ExitStatus, Frame, Pid, Program, Trap};
/// use hothouse_kernel::{End, Kernel};
///
/// let mut kernel = Kernel::builder().build()?;
/// let program = Program::native(|gate| {
///     let _ = gate.trap(&mut Frame::new(Trap::Log { text: "hello".into() }));
///     ExitStatus::Exited(7.into())
/// });
/// let pid = kernel.spawn("init", program)?;
/// assert!(matches!(kernel.run(), End::Done));
/// assert_eq!(kernel.report().exit(pid).unwrap().status, ExitStatus::Exited(7.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Kernel {
    shared: Rc<Shared>,
    bodies: Bodies,
    about: About,
    /// Set from the first run on, in real time.
    pace: Option<Pace>,
}

/// What the kernel keeps beside its machine.
pub(super) struct About {
    pub(super) seed: u64,
    pub(super) policy: String,
    pub(super) hash: Option<Rc<RefCell<TraceHash>>>,
    pub(super) interrupt: Interrupt,
    pub(super) real_time: bool,
    pub(super) watchdog: Option<Duration>,
}

/// Until when a run goes on.
pub enum Until {
    /// Pid 1 has ended, or nobody can run.
    Done,
    /// This process has ended.
    Ended(Pid),
    /// Nobody can run any more.
    Idle,
    /// This virtual time; what happens at it happens.
    Time(Tick),
    /// This time, unless this process has ended before, or nobody can run.
    TimeOrEnded(Tick, Pid),
    /// This time, unless nobody can run before.
    TimeOrIdle(Tick),
    /// This holds; it is asked between steps.
    Predicate(Box<dyn FnMut(&Kernel) -> bool>),
}

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Until::Done => f.write_str("Done"),
            Until::Ended(pid) => f.debug_tuple("Ended").field(pid).finish(),
            Until::Idle => f.write_str("Idle"),
            Until::Time(tick) => f.debug_tuple("Time").field(tick).finish(),
            Until::TimeOrEnded(tick, pid) => {
                f.debug_tuple("TimeOrEnded").field(tick).field(pid).finish()
            }
            Until::TimeOrIdle(tick) => f.debug_tuple("TimeOrIdle").field(tick).finish(),
            Until::Predicate(_) => f.write_str("Predicate"),
        }
    }
}

/// A flag by which the host breaks into a run from another thread or from a signal handler.
///
/// In real time an interrupt becomes `SIGINT` to pid 1; otherwise it ends the run.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Breaks in.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The flag itself, for crates that set one from a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    #[inline]
    fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

const INIT: Pid = Pid::new(1);

/// A flag that is always raised.
static ALWAYS: AtomicBool = AtomicBool::new(true);

impl Kernel {
    /// A kernel with the default settings, to be changed and built.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn new(shared: Rc<Shared>, bodies: Bodies, about: About) -> Kernel {
        Kernel { shared, bodies, about, pace: None }
    }

    /// Kills all processes and starts over as if just built with these settings, but for the size
    /// of stacks and the bound on processes: stacks that were used before are used again, which
    /// makes short runs much cheaper than a kernel for each.
    ///
    /// ```
    /// use hothouse_abi::{ExitStatus, Program};
    /// use hothouse_kernel::{End, Kernel};
    ///
    /// let mut kernel = Kernel::builder().build()?;
    /// for seed in 0..3 {
    ///     kernel.restart(Kernel::builder().seed(seed));
    ///     let pid = kernel.spawn("init", Program::native(|_| ExitStatus::Exited(7.into())))?;
    ///     assert_eq!(pid.number(), 1);
    ///     assert!(matches!(kernel.run(), End::Done));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restart(&mut self, builder: Builder) {
        self.kill_all();
        let (machine, about) = builder.machine();
        *self.shared.machine() = machine;
        self.about = about;
        self.pace = None;
    }

    /// Watches for processes that make no more calls, as long as it is kept.
    fn watch(&self) -> Option<Watch> {
        let limit = self.about.watchdog?;
        let traps = std::ptr::from_ref(&self.shared.machine().counters.traps);
        Some(Watch::start(traps, limit))
    }

    /// Starts a process from outside: a child of pid 0, as root. It runs when the policy picks it.
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit on processes; `ENAMETOOLONG`.
    pub fn spawn(&mut self, name: impl Into<Name>, program: Program) -> Result<Pid, Errno> {
        self.shared.machine().spawn_from_outside(name.into(), program)
    }

    /// Sends an event from pid 0.
    ///
    /// # Errors
    ///
    /// `ESRCH`, `EAGAIN` if the mailbox is full, `EMSGSIZE`, `ENAMETOOLONG`.
    pub fn send(
        &mut self,
        pid: Pid,
        name: impl Into<Name>,
        data: impl Into<Value>,
    ) -> Result<(), Errno> {
        self.shared.machine().send_from_outside(pid, name.into(), data.into())
    }

    /// Signals a process. Signal 0 only checks that it is there.
    ///
    /// # Errors
    ///
    /// `ESRCH`, `EINVAL` for what is no signal, `EPERM` for pid 0.
    pub fn kill(&mut self, pid: Pid, signal: impl Into<SignalNumber>) -> Result<(), Errno> {
        let _watch = self.watch();
        let done = self.shared.machine().kill_from_outside(pid, signal.into());
        self.bodies.unwind_victims(&self.shared);
        done
    }

    /// Lets something happen at a point in virtual time. What then fails is counted in
    /// [`Counters::failed_actions`](crate::Counters).
    pub fn at(&mut self, time: Tick, action: Action) {
        self.shared.machine().at(time, action);
    }

    /// Changes what the kernel itself costs, from now on.
    pub fn set_costs(&mut self, costs: Costs) {
        self.shared.machine().set_costs(costs);
    }

    /// The virtual time.
    pub fn now(&self) -> Tick {
        self.shared.machine().now
    }

    /// What is known of a live process.
    pub fn process(&self, pid: Pid) -> Option<ProcessInfo> {
        self.shared.machine().info(pid)
    }

    /// What happened so far, in numbers.
    pub fn counters(&self) -> Counters {
        self.shared.machine().counters
    }

    /// All live processes, in order of pid.
    pub fn processes(&self) -> Vec<ProcessInfo> {
        let machine = self.shared.machine();
        machine.table.pids().into_iter().filter_map(|pid| machine.info(pid)).collect()
    }

    /// What is held: after all processes have ended, nothing.
    pub fn held(&self) -> Held {
        Held { stacks: self.bodies.stacks(), ..self.shared.machine().held() }
    }

    /// Runs until pid 1 has ended, or nobody can run.
    pub fn run(&mut self) -> End {
        self.run_until(Until::Done)
    }

    /// Runs until something holds, or nobody can run.
    pub fn run_until(&mut self, until: Until) -> End {
        match until {
            Until::Done => self.drive(Tick::MAX, Some(INIT), None),
            Until::Ended(pid) => self.drive(Tick::MAX, Some(pid), None),
            Until::Idle => self.drive(Tick::MAX, None, None),
            Until::Time(limit) => loop {
                match self.drive(limit, None, None) {
                    // More can come from outside before that time.
                    End::Done | End::Idle | End::Deadlock(_) => self.advance(limit),
                    end => return end,
                }
                if self.now() >= limit {
                    return End::Stopped;
                }
            },
            Until::TimeOrEnded(limit, pid) => self.drive(limit, Some(pid), None),
            Until::TimeOrIdle(limit) => self.drive(limit, None, None),
            Until::Predicate(mut holds) => self.drive(Tick::MAX, None, Some(&mut *holds)),
        }
    }

    /// Lets one process run until its next trap that leaves the CPU. Returns the end of the run, if
    /// nobody can run.
    pub fn step(&mut self) -> Option<End> {
        let _watch = self.watch();
        self.shared.machine().jumps = false;
        loop {
            if let Some(done) = self.step_towards(Tick::MAX, None, true) {
                return match done {
                    Stepped::Ran => None,
                    Stepped::End(end) => Some(end),
                };
            }
        }
    }

    fn drive(
        &mut self,
        limit: Tick,
        awaited: Option<Pid>,
        mut holds: Option<&mut dyn FnMut(&Kernel) -> bool>,
    ) -> End {
        let _watch = self.watch();
        self.shared.machine().jumps = !self.about.real_time && holds.is_none();
        // Looked up again only when a process has ended.
        let mut ended = u64::MAX;
        loop {
            let count = self.shared.machine().counters.ended;
            if count != ended {
                ended = count;
                self.trim();
                if awaited.is_some_and(|pid| self.shared.machine().is_over(pid)) {
                    // Its last step may have broken the console.
                    let error = self.shared.machine().error.take();
                    return error.map_or(End::Done, End::Failed);
                }
            }
            if let Some(Stepped::End(end)) = self.step_towards(limit, awaited, holds.is_some()) {
                return end;
            }
            if let Some(holds) = &mut holds
                && holds(self)
            {
                return End::Stopped;
            }
        }
    }

    /// Gives memory back to the host, if most of it is free since processes have ended.
    fn trim(&mut self) {
        let places = self.shared.machine().trim();
        if let Some(places) = places {
            self.bodies.trim(places);
            give_back_heap();
        }
    }

    /// One decision of the machine, carried out, and unless it is to be a single one, those after
    /// it that only say who runs. `None`: time moved on.
    #[inline(always)]
    fn step_towards(&mut self, limit: Tick, awaited: Option<Pid>, single: bool) -> Option<Stepped> {
        if self.about.interrupt.is_raised()
            && let Some(end) = self.interrupted()
        {
            return Some(Stepped::End(end));
        }
        let mut machine = self.shared.machine();
        let next = machine.next(limit);
        machine.check();
        drop(machine);
        match next {
            Next::Run(key) => {
                let stop = if single { &ALWAYS } else { &*self.about.interrupt.0 };
                self.bodies.run(&self.shared, key, stop, awaited);
                self.bodies.unwind_victims(&self.shared);
                Some(Stepped::Ran)
            }
            Next::Unwind => {
                self.bodies.unwind_victims(&self.shared);
                None
            }
            Next::Advance(to) => {
                self.advance(to);
                None
            }
            Next::Limit => {
                self.advance(limit);
                // An interrupt in real time comes first.
                (self.now() >= limit).then_some(Stepped::End(End::Stopped))
            }
            Next::Stuck => self.stuck(limit).map(Stepped::End),
            Next::Failed => {
                let error = self.shared.machine().error.take();
                let error = error.expect("invariant: a machine that failed says why");
                Some(Stepped::End(End::Failed(error)))
            }
        }
    }

    fn advance(&mut self, to: Tick) {
        let reached = if self.about.real_time {
            let pace = self.pace.get_or_insert_with(Pace::new);
            pace.wait_until(to, || self.about.interrupt.is_raised())
        } else {
            to
        };
        let mut machine = self.shared.machine();
        let reached = reached.max(machine.now);
        machine.advance(reached);
    }

    /// Nobody can run, and no deadline will come.
    fn stuck(&mut self, limit: Tick) -> Option<End> {
        let machine = self.shared.machine();
        if machine.table.live() == 0 {
            return Some(End::Done);
        }
        let Some(init) = machine.table.find(INIT) else { return Some(End::Idle) };
        if self.about.real_time && machine.awaits(init, Signal::SIGINT) {
            drop(machine);
            if self.now() >= limit {
                return Some(End::Stopped);
            }
            // Only the operator can bring anything about now.
            self.advance(limit.min(self.now() + Span::from_secs(3600)));
            return None;
        }
        Some(End::Deadlock(machine.deadlock()))
    }

    fn interrupted(&mut self) -> Option<End> {
        self.about.interrupt.take();
        if self.about.real_time && self.kill(INIT, Signal::SIGINT).is_ok() {
            return None;
        }
        Some(End::Interrupted)
    }

    /// Kills all processes. Returns what they were doing.
    pub fn kill_all(&mut self) -> Vec<ProcessInfo> {
        let processes = self.processes();
        loop {
            let pids = self.shared.machine().table.pids();
            if pids.is_empty() {
                break;
            }
            for pid in pids {
                // One may have ended meanwhile, by another's destructor.
                let _ = self.kill(pid, Signal::SIGKILL);
            }
        }
        self.trim();
        processes
    }

    /// What the run came to so far.
    pub fn report(&self) -> Report {
        let machine = self.shared.machine();
        let (counters, cpus) = (machine.counters, machine.cpu_times());
        let (now, records) = (machine.now, machine.records.clone());
        let unrepeatable = machine.unrepeatable.clone();
        drop(machine);
        Report {
            now,
            seed: self.about.seed,
            policy: self.about.policy.clone(),
            counters,
            cpus,
            records,
            processes: self.processes(),
            hash: self.about.hash.as_ref().map(|hash| hash.borrow().value()),
            unrepeatable,
            held: self.held(),
        }
    }
}

/// What one step came to.
enum Stepped {
    Ran,
    End(End),
}

impl Drop for Kernel {
    /// Kills all processes, so that their destructors run.
    fn drop(&mut self) {
        // With a panic under way the machine may be borrowed or half changed.
        if !std::thread::panicking() {
            self.kill_all();
        }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("seed", &self.about.seed)
            .field("policy", &self.about.policy)
            .finish()
    }
}
