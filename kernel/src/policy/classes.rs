//! The classes above the machine's policy, as Linux orders them.
//!
//! 1. A ready task of `SCHED_DEADLINE` runs before all others, then those of `SCHED_FIFO` and
//!    `SCHED_RR`, then the rest, which the machine's policy serves. The class that counts is the
//!    effective one, with what a mutex lends.
//! 2. A task that becomes ready preempts, when no idle CPU took it, a CPU that runs a task of a lower
//!    class: the lowest there is; of several such CPUs, the one of the highest number. If there is
//!    none, the rules of its own class decide.
//! 3. A running task that falls into a lower class goes back to the queue if anybody is queued.
//!
//! Source: sched(7).

use hothouse_abi::{Class, Span, Tick};

use super::bandwidth::Bandwidth;
use super::realtime::RealTime;
use super::{Burst, CpuId, Pick, Policy, Reason, Running, Stop, Task, TaskId, cut};

/// Where a task is queued, or was picked from; the lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    #[default]
    Rest,
    RealTime,
    Deadline,
}

impl Layer {
    fn of(task: &Task) -> Layer {
        match task.class {
            Class::Normal => Layer::Rest,
            Class::Fifo(_) | Class::RoundRobin(_) => Layer::RealTime,
            Class::Deadline => Layer::Deadline,
        }
    }
}

/// A policy for the tasks of no class, below those that have one.
pub(crate) struct Classes {
    rest: Box<dyn Policy>,
    real_time: RealTime,
    bandwidth: Bandwidth,
    layers: Vec<Layer>,
}

/// How urgent a task is against those of all classes: the least is the most urgent.
type Rank = (std::cmp::Reverse<u8>, Tick);

impl Classes {
    /// Puts the classes above a policy, whose tasks have none.
    pub(crate) fn over(rest: Box<dyn Policy>) -> Classes {
        let (real_time, bandwidth) = (RealTime::default(), Bandwidth::default());
        Classes { rest, real_time, bandwidth, layers: Vec::new() }
    }

    fn layer(&self, id: TaskId) -> Layer {
        self.layers.get(id.0 as usize).copied().unwrap_or_default()
    }

    fn set_layer(&mut self, id: TaskId, layer: Layer) {
        let index = id.0 as usize;
        if index >= self.layers.len() {
            self.layers.resize(index + 1, Layer::Rest);
        }
        self.layers[index] = layer;
    }

    fn rank(&self, task: &Task) -> Rank {
        let deadline = match task.class {
            Class::Deadline => self.bandwidth.deadline(task),
            _ => Tick::MAX,
        };
        (std::cmp::Reverse(task.class.rank()), deadline)
    }

    /// The CPU that a task of a class takes.
    fn preempts(&self, woken: &Task, running: &[Running]) -> Option<CpuId> {
        let rank = |running: &&Running| (self.rank(&running.task), running.cpu);
        let worst = running.iter().max_by_key(rank)?;
        (self.rank(&worst.task) > self.rank(woken)).then_some(worst.cpu)
    }

    fn in_rest(&self, running: &[Running]) -> Vec<Running> {
        let rest = |running: &&Running| {
            self.layer(running.task.id) == Layer::Rest && Layer::of(&running.task) == Layer::Rest
        };
        running.iter().filter(rest).cloned().collect()
    }
}

impl Policy for Classes {
    fn spec(&self) -> String {
        self.rest.spec()
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, now: Tick) {
        let (before, layer) = (self.layer(task.id), Layer::of(task));
        // What a class knows of a task's last dispatch is of no use to another.
        let moved = before != layer && !matches!(reason, Reason::New | Reason::Wakeup);
        let reason = if moved { Reason::Changed } else { reason };
        self.set_layer(task.id, layer);
        match layer {
            Layer::Rest => self.rest.enqueue(task, reason, now),
            Layer::RealTime => self.real_time.enqueue(task, reason),
            Layer::Deadline => {
                let reasons = [Reason::New, Reason::Wakeup, Reason::Continued, Reason::Changed];
                self.bandwidth.enqueue(task, reasons.contains(&reason), now);
            }
        }
    }

    fn dequeue(&mut self, task: &Task, now: Tick) {
        match self.layer(task.id) {
            Layer::Rest => self.rest.dequeue(task, now),
            Layer::RealTime => self.real_time.remove(task.id),
            Layer::Deadline => self.bandwidth.remove(task.id),
        }
    }

    fn pick_next(&mut self, cpu: CpuId, now: Tick) -> Option<Pick> {
        let pick = self.bandwidth.pick(cpu).or_else(|| self.real_time.pick(cpu));
        pick.or_else(|| self.rest.pick_next(cpu, now))
    }

    fn put_prev(&mut self, task: &Task, cpu: CpuId, ran: Span, stop: Stop, now: Tick) {
        match self.layer(task.id) {
            Layer::Rest => self.rest.put_prev(task, cpu, ran, stop, now),
            Layer::RealTime => self.real_time.put_prev(task, ran, stop),
            Layer::Deadline => self.bandwidth.put_prev(task, ran),
        }
    }

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], now: Tick) -> Option<CpuId> {
        match Layer::of(woken) {
            Layer::Rest => {
                let running = self.in_rest(running);
                if running.is_empty() {
                    return None;
                }
                self.rest.wakeup_preempt(woken, &running, now)
            }
            _ if self.bandwidth.is_throttled(woken.id) => None,
            _ => self.preempts(woken, running),
        }
    }

    fn burst_start(&mut self, task: &Task, cpu: CpuId, now: Tick) -> Burst {
        match self.layer(task.id) {
            Layer::Rest => self.rest.burst_start(task, cpu, now),
            _ => Burst::Keep,
        }
    }

    fn changed(&mut self, task: &Task, queued: bool, now: Tick) {
        let (before, layer) = (self.layer(task.id), Layer::of(task));
        if queued && (before != layer || layer == Layer::RealTime) {
            self.dequeue(task, now);
            self.enqueue(task, Reason::Changed, now);
        } else if queued && layer == Layer::Deadline {
            self.bandwidth.changed(task);
        } else if before == Layer::Rest {
            self.rest.changed(task, queued, now);
        }
    }

    fn yields(&mut self, task: &Task, cpu: CpuId, now: Tick) -> bool {
        let (class, deadline) = self.rank(task);
        let earlier = self
            .bandwidth
            .best_for(cpu)
            .is_some_and(|best| Layer::of(task) < Layer::Deadline || best < deadline);
        let higher = self.real_time.best_for(cpu).is_some_and(|best| best > class.0);
        let fell = Layer::of(task) < self.layer(task.id);
        let in_rest = self.layer(task.id) == Layer::Rest && Layer::of(task) == Layer::Rest;
        earlier || higher || fell || in_rest && self.rest.yields(task, cpu, now)
    }

    fn next_timer(&self) -> Option<Tick> {
        self.rest.next_timer().into_iter().chain(self.bandwidth.next_timer()).min()
    }

    fn timer(&mut self, running: &[Running], now: Tick) -> Vec<CpuId> {
        let mut preempted = Vec::new();
        for task in self.bandwidth.timer(now) {
            let others = running
                .iter()
                .filter(|running| task.may_use(running.cpu) && !preempted.contains(&running.cpu));
            let others: Vec<_> = others.cloned().collect();
            preempted.extend(self.preempts(&task, &others));
        }
        if self.rest.next_timer().is_some_and(|at| at <= now) {
            let running = self.in_rest(running);
            let more = self.rest.timer(&running, now);
            preempted.extend(
                more.into_iter().filter(|cpu| !preempted.contains(cpu)).collect::<Vec<_>>(),
            );
        }
        preempted
    }

    fn forget(&mut self, id: TaskId) {
        self.set_layer(id, Layer::Rest);
        self.real_time.forget(id);
        self.bandwidth.forget(id);
        self.rest.forget(id);
    }

    fn trim(&mut self, tasks: usize) {
        cut(&mut self.layers, tasks);
        self.real_time.trim(tasks);
        self.bandwidth.trim(tasks);
        self.rest.trim(tasks);
    }
}

impl std::fmt::Debug for Classes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rest = self.rest.spec();
        let mut shown = f.debug_struct("Classes");
        shown.field("rest", &rest).field("real_time", &self.real_time);
        shown.field("bandwidth", &self.bandwidth).finish()
    }
}
