//! The completely fair scheduler of Linux: who has had the least for its weight runs next.
//!
//! 1. A task's weight is that of its nice level, or its tickets. Its virtual runtime is its CPU time,
//!    scaled by 1024 over its weight. The queued task of the least virtual runtime that may use the
//!    CPU runs first; of equals, the one that was queued first.
//! 2. In a period each runnable task is to run once, in proportion to its weight: the period is
//!    `latency`, or `granularity` for each runnable task of a CPU if that is longer. A slice is the
//!    task's part of the period, but at least `granularity`; or the slice that the task asks for.
//! 3. The least virtual runtime of all that are queued or run never goes back. A task that wakes is
//!    placed half of `latency` before it, unless its own virtual runtime is later: nobody saves up
//!    time while it sleeps.
//! 4. A new task starts after it, by what its slice is in virtual time: so forking gains nothing.
//! 5. A task that becomes ready preempts, when no idle CPU took it, the running task of the greatest
//!    virtual runtime, if that is later than its own by more than a millisecond, scaled by the
//!    weight of the woken; of several such CPUs, the one of the highest number.
//! 6. A task that yields goes behind all that are queued: its virtual runtime becomes the last of
//!    theirs, if that is later.
//!
//! All CPUs share one queue, where Linux has one for each and moves tasks between them: the model
//! shows the rules without the faults of the balancing.
//!
//! Source: Linux 2.6.23 to 6.5, `kernel/sched/fair.c`, with its default tunables for one CPU; the
//! weights: [`weight`](super::weight).

use std::collections::BTreeSet;
use std::rc::Rc;

use hothouse_abi::{Scheduling, Span, Tick};

use super::fair::{OnCpus, Virtual, virtual_time};
use super::spec::format_span;
use super::weights::tickets;
use super::{CpuId, Pick, Policy, Reason, Running, Stop, Task, TaskId, cut};

/// By how much a woken task must be behind to preempt.
const WAKEUP_GRANULARITY: Span = Span::from_millis(1);

/// The completely fair scheduler.
///
/// ```
/// use hothouse_kernel::policy::{Cfs, Policy};
/// assert_eq!(Cfs::default().spec(), "cfs:latency=6ms,granularity=750us");
/// ```
#[derive(Debug)]
pub struct Cfs {
    latency: Span,
    granularity: Span,
    cpus: i128,
    /// The queued tasks: virtual runtime, order of being queued, number.
    queue: BTreeSet<(Virtual, u64, TaskId)>,
    order: u64,
    tasks: Vec<Kept>,
    on_cpus: OnCpus,
    least: Virtual,
    /// Those that are queued or run: how many, and their weight.
    runnable: i128,
    weight: i128,
}

/// What is kept of a task.
#[derive(Clone, Debug, Default)]
struct Kept {
    scheduling: Rc<Scheduling>,
    /// Zero for one not seen yet.
    weight: i128,
    /// Whether it is queued or runs.
    active: bool,
    runtime: Virtual,
    /// Its place among those of the same runtime, while it is queued.
    order: u64,
}

impl Cfs {
    /// The least period unless another is asked for: 6 ms.
    pub const LATENCY: Span = Span::from_millis(6);

    /// The least slice unless another is asked for: 0.75 ms.
    pub const GRANULARITY: Span = Span::from_micros(750);

    /// With nobody ready.
    ///
    /// # Panics
    ///
    /// If the latency or the granularity is zero.
    pub fn new(latency: Span, granularity: Span) -> Cfs {
        assert!(!latency.is_zero() && !granularity.is_zero(), "a period and a slice have a length");
        Cfs {
            latency,
            granularity,
            cpus: 1,
            queue: BTreeSet::new(),
            order: 0,
            tasks: Vec::new(),
            on_cpus: OnCpus::default(),
            least: 0,
            runnable: 0,
            weight: 0,
        }
    }

    fn kept(&mut self, id: TaskId) -> &mut Kept {
        let index = id.0 as usize;
        if index >= self.tasks.len() {
            self.tasks.resize(index + 1, Kept::default());
        }
        &mut self.tasks[index]
    }

    /// Takes over what the task asks for now.
    fn update(&mut self, task: &Task) {
        let new = i128::from(tickets(task).max(1));
        let kept = self.kept(task.id);
        kept.scheduling = task.scheduling.clone();
        let old = std::mem::replace(&mut kept.weight, new);
        if kept.active {
            self.weight += new - old;
        }
    }

    /// Charges those who run, and moves the least virtual runtime on.
    fn advance(&mut self, now: Tick) {
        for place in 0..self.on_cpus.len() {
            let (id, nanos) = self.on_cpus.charge(place, now);
            if nanos > 0 {
                self.charge(id, nanos);
            }
        }
        let running = self.on_cpus.tasks().map(|id| self.tasks[id.0 as usize].runtime);
        let queued = self.queue.first().map(|&(runtime, ..)| runtime);
        self.least = self.least.max(running.chain(queued).min().unwrap_or(self.least));
    }

    fn charge(&mut self, id: TaskId, nanos: i128) {
        let kept = self.kept(id);
        kept.runtime += virtual_time(nanos, kept.weight);
    }

    fn slice(&self, id: TaskId) -> Span {
        let Kept { scheduling, weight, .. } = &self.tasks[id.0 as usize];
        scheduling.slice.unwrap_or_else(|| {
            let on_a_cpu = (self.runnable + self.cpus - 1) / self.cpus;
            let least = i128::from(self.granularity.nanos());
            let period = i128::from(self.latency.nanos()).max(on_a_cpu * least);
            let part = (period * weight * self.cpus / self.weight.max(1)).min(period);
            Span::from_nanos(u64::try_from(part.max(least)).unwrap_or(u64::MAX))
        })
    }

    fn join(&mut self, id: TaskId) {
        let kept = self.kept(id);
        kept.active = true;
        self.weight += kept.weight;
        self.runnable += 1;
    }

    fn leave(&mut self, id: TaskId) {
        let kept = self.kept(id);
        kept.active = false;
        self.weight -= kept.weight;
        self.runnable -= 1;
    }

    fn remove(&mut self, id: TaskId) {
        let Kept { runtime, order, .. } = *self.kept(id);
        assert!(self.queue.remove(&(runtime, order, id)), "only a queued task is taken out");
    }

    /// Where a task that is queued for this reason is placed.
    fn placed(&self, id: TaskId, reason: Reason) -> Virtual {
        let kept = &self.tasks[id.0 as usize];
        let own = kept.runtime;
        match reason {
            Reason::New => {
                let slice = i128::from(self.slice(id).nanos());
                self.least + virtual_time(slice, kept.weight)
            }
            Reason::Wakeup | Reason::Continued | Reason::Changed => {
                let half = i128::from(self.latency.nanos()) / 2;
                own.max(self.least - virtual_time(half, 1024))
            }
            Reason::Yield => own.max(self.queue.last().map_or(own, |&(last, ..)| last)),
            Reason::SliceEnd | Reason::Preempted | Reason::Burst => own,
        }
    }
}

impl Default for Cfs {
    fn default() -> Self {
        Cfs::new(Cfs::LATENCY, Cfs::GRANULARITY)
    }
}

impl Policy for Cfs {
    fn spec(&self) -> String {
        let (latency, granularity) = (format_span(self.latency), format_span(self.granularity));
        format!("cfs:latency={latency},granularity={granularity}")
    }

    fn start(&mut self, cpus: u32) {
        self.cpus = i128::from(cpus);
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, now: Tick) {
        self.advance(now);
        self.update(task);
        self.join(task.id);
        let runtime = self.placed(task.id, reason);
        self.order += 1;
        let order = self.order;
        let kept = self.kept(task.id);
        (kept.runtime, kept.order) = (runtime, order);
        self.queue.insert((runtime, order, task.id));
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.remove(task.id);
        self.leave(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, now: Tick) -> Option<Pick> {
        self.advance(now);
        let may_use = |id: TaskId| self.tasks[id.0 as usize].scheduling.cpus.contains(cpu.0);
        let first = *self.queue.iter().find(|&&(.., id)| may_use(id))?;
        self.queue.remove(&first);
        self.on_cpus.start(first.2, now);
        Some(Pick { task: first.2, slice: Some(self.slice(first.2)) })
    }

    fn put_prev(&mut self, task: &Task, _cpu: CpuId, ran: Span, _stop: Stop, now: Tick) {
        let rest = self.on_cpus.stop(task.id, ran);
        self.charge(task.id, rest);
        self.advance(now);
        // If it stays runnable, its `enqueue` follows at once.
        self.leave(task.id);
    }

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], now: Tick) -> Option<CpuId> {
        self.advance(now);
        let woken = &self.tasks[woken.id.0 as usize];
        let granularity = i128::from(WAKEUP_GRANULARITY.nanos());
        let enough = woken.runtime + virtual_time(granularity, woken.weight);
        let runtime = |running: &&Running| self.tasks[running.task.id.0 as usize].runtime;
        let last = running.iter().max_by_key(runtime)?;
        (runtime(&last) > enough).then_some(last.cpu)
    }

    fn changed(&mut self, task: &Task, _queued: bool, now: Tick) {
        self.advance(now);
        self.update(task);
    }

    fn forget(&mut self, id: TaskId) {
        *self.kept(id) = Kept::default();
    }

    fn trim(&mut self, tasks: usize) {
        cut(&mut self.tasks, tasks);
    }
}

#[cfg(test)]
mod tests;
