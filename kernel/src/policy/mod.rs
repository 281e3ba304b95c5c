//! Scheduling policies: who runs next, and for how long.
//!
//! A policy is one file behind one trait, [`Policy`]. It keeps the ready tasks and answers the
//! machine's questions; it never changes a process. A policy of one's own needs this module and
//! `hothouse_abi` only.
//!
//! # The order of calls
//!
//! A task's life under a policy is a walk through three places:
//!
//! * **queued**: from [`enqueue`](Policy::enqueue) to [`pick_next`](Policy::pick_next), which takes
//!   it out and gives it a CPU, or to [`dequeue`](Policy::dequeue), which takes it out without one;
//! * **running**: from `pick_next` to [`put_prev`](Policy::put_prev);
//! * **away** (blocked, stopped): after a `put_prev` or a `dequeue` that no `enqueue` follows.
//!
//! Each `pick_next` that returns a task is answered by exactly one `put_prev` for it; if the task is
//! still runnable, its `enqueue` follows at the same instant. While a task runs,
//! [`burst_start`](Policy::burst_start) may ask about its burst. [`changed`](Policy::changed) may
//! come in any of the three places. [`forget`](Policy::forget) is the last call for a task, and only
//! for one that is away; its [`TaskId`] may be used again afterwards.
//!
//! A dispatch that takes no time counts for no metric: its `put_prev` has `ran == Span::ZERO`.
//!
//! A policy decides by its arguments and its own state alone. Hash order, addresses, the host's
//! clock and global counters decide nothing.

mod asked;
mod bandwidth;
mod bsdmlfq;
mod cfs;
mod classes;
mod edf;
mod eevdf;
mod fair;
mod fifo;
mod line;
mod lottery;
mod mlfq;
mod ordered;
mod partitioned;
mod prio;
mod queue;
mod random;
mod realtime;
mod rm;
mod rr;
mod sjf;
mod spec;
mod srtf;
mod stride;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod timeline;
mod urgent;
mod weights;

use std::any::Any;
use std::rc::Rc;

use hothouse_abi::{Class, Pid, Scheduling, Span, Tick};

pub use asked::Asked;
pub use bsdmlfq::BsdMlfq;
pub use cfs::Cfs;
pub(crate) use classes::Classes;
pub use edf::Edf;
pub use eevdf::Eevdf;
pub use fifo::Fifo;
pub use lottery::Lottery;
pub use mlfq::{Mlfq, MlfqOptions};
pub use ordered::Ordered;
pub use partitioned::Partitioned;
pub use prio::Prio;
pub use queue::{Links, List, Queue};
pub use random::Random;
pub use rm::Rm;
pub use rr::Rr;
pub use sjf::Sjf;
pub(crate) use spec::parse_span;
pub use spec::{POLICIES, PolicyError, policy};
pub use srtf::Srtf;
pub use stride::Stride;
pub use weights::weight;

/// The number of a simulated CPU, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuId(pub u32);

/// The number of a task: dense from 0, so that it can index a vector, and used again after
/// [`Policy::forget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// What a policy knows of a process.
// In this order, since what each turn on a CPU looks at shares a cache line that way.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// Its effective nice level, -20 (first) to 19 (last): what it inherits through locks is
    /// included.
    pub nice: i8,
    /// Its effective class.
    pub class: Class,
    /// What it asked for itself, nothing inherited.
    pub scheduling: Rc<Scheduling>,
    /// What is left of its burst; `None` while it is not known.
    pub burst: Option<Span>,
    /// Its pid.
    pub pid: Pid,
    /// When its job is to be done: the effective absolute deadline.
    pub deadline: Option<Tick>,
    /// Its effective period.
    pub period: Option<Span>,
}

impl Task {
    /// A task that asks for nothing in particular.
    ///
    /// ```
    /// use hothouse_abi::Pid;
    /// use hothouse_kernel::policy::{CpuId, Task, TaskId};
    /// let task = Task::new(TaskId(0), Pid::new(1));
    /// assert!(task.nice == 0 && task.may_use(CpuId(3)));
    /// ```
    pub fn new(id: TaskId, pid: Pid) -> Task {
        Task::with(id, pid, Rc::default())
    }

    /// A task that is to be scheduled so, and has no job yet.
    pub fn with(id: TaskId, pid: Pid, scheduling: Rc<Scheduling>) -> Task {
        Task {
            id,
            pid,
            nice: scheduling.nice,
            burst: None,
            class: scheduling.class,
            deadline: None,
            period: scheduling.period,
            scheduling,
        }
    }

    /// Whether its CPUs include this one.
    #[inline]
    pub fn may_use(&self, cpu: CpuId) -> bool {
        self.scheduling.cpus.contains(cpu.0)
    }
}

/// Why a task is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was just created.
    New,
    /// What it waited for happened.
    Wakeup,
    /// `SIGCONT` ended its stop.
    Continued,
    /// Its slice ended.
    SliceEnd,
    /// [`Policy::wakeup_preempt`] took its CPU away.
    Preempted,
    /// It called `yield_now`.
    Yield,
    /// [`Policy::burst_start`] answered [`Burst::Requeue`].
    Burst,
    /// How it is scheduled changed.
    Changed,
}

/// Why a task left its CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// It waits for something.
    Blocked,
    /// It ended.
    Ended,
    /// A signal stopped it.
    Stopped,
    /// Its slice ended.
    SliceEnd,
    /// [`Policy::wakeup_preempt`] took its CPU away.
    Preempted,
    /// It called `yield_now`.
    Yield,
    /// [`Policy::burst_start`] answered [`Burst::Requeue`].
    Burst,
    /// It may no longer use this CPU.
    Changed,
}

/// A policy's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Who runs.
    pub task: TaskId,
    /// How much CPU time it may use in this dispatch until its slice ends; `None`: it runs until
    /// it blocks.
    pub slice: Option<Span>,
}

/// What becomes of a task whose burst starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Burst {
    /// It keeps its CPU.
    Keep,
    /// It is queued again, now that the length of its burst is known.
    Requeue,
}

/// A CPU that is not idle.
#[derive(Clone, Debug)]
pub struct Running {
    /// The CPU.
    pub cpu: CpuId,
    /// Who runs on it.
    pub task: Task,
    /// The CPU time that it has used in this dispatch.
    pub ran: Span,
}

/// Decides who runs. The [module](self) tells the order of calls.
///
/// ```
/// use hothouse_abi::{Pid, Span, Tick};
/// use hothouse_kernel::policy::{CpuId, Pick, Policy, Reason, Task, TaskId};
///
/// /// Last come, first served.
/// #[derive(Default)]
/// struct Lifo(Vec<TaskId>);
///
/// impl Policy for Lifo {
///     fn spec(&self) -> String {
///         "lifo".to_string()
///     }
///     fn enqueue(&mut self, task: &Task, _reason: Reason, _now: Tick) {
///         self.0.push(task.id);
///     }
///     fn dequeue(&mut self, task: &Task, _now: Tick) {
///         self.0.retain(|&id| id != task.id);
///     }
///     fn pick_next(&mut self, _cpu: CpuId, _now: Tick) -> Option<Pick> {
///         self.0.pop().map(|task| Pick { task, slice: None })
///     }
/// }
///
/// let mut lifo = Lifo::default();
/// for n in 0..2 {
///     let task = Task::new(TaskId(n), Pid::new(7));
///     lifo.enqueue(&task, Reason::New, Tick::ZERO);
/// }
/// assert_eq!(lifo.pick_next(CpuId(0), Tick::ZERO).unwrap().task, TaskId(1));
/// ```
#[expect(unused_variables, reason = "defaults that do nothing; the names belong to the docs")]
pub trait Policy: Any {
    /// The policy with its parameters, as it can be asked for again: `"rr:slice=10ms"`.
    fn spec(&self) -> String;

    /// The first call of all: how many CPUs the machine has.
    fn start(&mut self, cpus: u32) {}

    /// Queues a task that is runnable and neither queued nor running. The machine calls it when a
    /// task is created, wakes or continues, and right after the `put_prev` of one that stays
    /// runnable.
    fn enqueue(&mut self, task: &Task, reason: Reason, now: Tick);

    /// Takes a queued task out of the queue because it was stopped or killed. Expected in O(1).
    fn dequeue(&mut self, task: &Task, now: Tick);

    /// Takes the task that `cpu` runs next out of the queue: one that [may use](Task::may_use) it.
    /// The machine calls it for each idle CPU when something was queued, lowest CPU first, and for a
    /// CPU whose task just left it. `None` leaves the CPU idle.
    fn pick_next(&mut self, cpu: CpuId, now: Tick) -> Option<Pick>;

    /// A task left its CPU after it `ran` for that long in this dispatch. For accounting only: if
    /// the task is still runnable, `enqueue` follows at once.
    fn put_prev(&mut self, task: &Task, cpu: CpuId, ran: Span, stop: Stop, now: Tick) {}

    /// Whether [`wakeup_preempt`](Policy::wakeup_preempt) may ever take a CPU away. The machine asks
    /// once, and need not gather who runs, with each wake-up, for a policy that says no.
    fn preempts(&self) -> bool {
        true
    }

    /// Whether a queued task takes a CPU away, and which. The machine calls it for a task that was
    /// created, woken or continued, or whose place changed, once the idle CPUs have picked and left
    /// it queued; `running` has the CPUs that it may use and that are not idle, lowest first, each
    /// with what is left of its task's burst. The task on the CPU that is returned gets its
    /// `put_prev` and `enqueue` (both `Preempted`), and then the CPU calls `pick_next`.
    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], now: Tick) -> Option<CpuId> {
        None
    }

    /// The running task asked for a burst, whose length is now in `task.burst`. On
    /// [`Burst::Requeue`] its `put_prev` and `enqueue` (both `Burst`) follow, then `pick_next` for
    /// the CPU; when the task is picked again, the burst goes on without another question.
    fn burst_start(&mut self, task: &Task, cpu: CpuId, now: Tick) -> Burst {
        Burst::Keep
    }

    /// The task's effective nice level or deadline changed, or how it is scheduled: by `nice`, by
    /// `sched_setattr`, by a new job, or by what it inherits through a lock; `task` has it as it is
    /// now. `queued` tells that it is in the ready queue: the policy then moves
    /// it to its new place, without a `dequeue` and an `enqueue`.
    fn changed(&mut self, task: &Task, queued: bool, now: Tick) {}

    /// Whether a running task gives its CPU up, now that it has become less urgent: somebody who is
    /// queued comes before it. On `true` its `put_prev` and `enqueue` follow (both `Preempted`), then
    /// `pick_next`. The machine asks after a `changed` of a running task.
    fn yields(&mut self, task: &Task, cpu: CpuId, now: Tick) -> bool {
        false
    }

    /// The next time at which the policy wants [`timer`](Policy::timer) to be called. The machine
    /// asks after each of its calls.
    fn next_timer(&self) -> Option<Tick> {
        None
    }

    /// The time that [`next_timer`](Policy::next_timer) named has come. It is called at that very
    /// time while a task is queued or runs; on a machine that was idle meanwhile, it is called
    /// before the next `enqueue`, and `now` may then be later than what was asked for. The CPUs that
    /// are returned are taken from their tasks, as by `wakeup_preempt`. The next time must be later
    /// than `now`.
    fn timer(&mut self, running: &[Running], now: Tick) -> Vec<CpuId> {
        Vec::new()
    }

    /// The task ended and nothing more will be said of it: drop what is kept under its number,
    /// which another task may get.
    fn forget(&mut self, id: TaskId) {}

    /// No task has a number from `tasks` on any more: memory for those may go back.
    #[expect(unused_variables, reason = "a policy may keep it")]
    fn trim(&mut self, tasks: usize) {}
}

/// Drops what is kept for tasks with numbers from `tasks` on, with its memory.
fn cut<T>(kept: &mut Vec<T>, tasks: usize) {
    kept.truncate(tasks);
    kept.shrink_to_fit();
}
