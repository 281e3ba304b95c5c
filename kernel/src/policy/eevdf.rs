//! Earliest eligible virtual deadline first: fair like `cfs`, with a deadline for each request.
//!
//! 1. A task's weight is that of its nice level, or its tickets. Its virtual runtime v is its CPU
//!    time, scaled by 1024 over its weight. V is the mean of all v of those that are queued or run,
//!    weighted. The lag of a task is its weight times V - v: what it is owed.
//! 2. A task asks for one request after the other: the slice that it asks for, or the policy's. The
//!    virtual deadline of a request is v at its beginning and the request, scaled by the weight. When
//!    v reaches it, the next request begins.
//! 3. A queued task is eligible if it is owed something, or nothing: v <= V. Of the eligible tasks
//!    that may use the CPU, the one of the earliest virtual deadline runs first; of equals, the one
//!    that was queued first. If none of them is eligible, which the tasks on other CPUs can cause, the
//!    one of the least v. It runs until its request is served.
//! 4. A task that leaves takes its lag along, but no more than a request either way, and has it again
//!    when it comes back, with a fresh request: neither sleeping nor waking up gains anything. A new
//!    task has no lag.
//! 5. A task that becomes ready and is eligible preempts, when no idle CPU took it, a running task
//!    whose virtual deadline is later than its own, or that is not eligible itself: of these, the one
//!    of the latest deadline, and of several such CPUs, the one of the highest number.
//! 6. A task that yields gives up the rest of its request: its v moves on to its virtual deadline.
//! 7. When the weight of a task changes, its lag stays, and what is left of its request is scaled.
//!
//! As long as the same tasks are ready on one CPU, no lag is beyond the longest request, either way.
//!
//! All CPUs share one queue. A task that can't use its share, as it is heavier than a CPU, is owed more
//! and more.
//!
//! Source: Stoica and Abdel-Wahab 1995, "Earliest eligible virtual deadline first: a flexible and
//! accurate mechanism for proportional share resource allocation", for rules 1 to 3 and the bound;
//! Linux 6.6, `kernel/sched/fair.c`, for the lag of those who sleep (`place_entity`) and the default
//! slice; Linux 6.15 for rule 6.

use std::collections::BTreeSet;
use std::rc::Rc;

use hothouse_abi::{Scheduling, Span, Tick};

use super::fair::{OnCpus, Virtual, real_time, virtual_time};
use super::spec::format_span;
use super::weights::tickets;
use super::{CpuId, Pick, Policy, Reason, Running, Stop, Task, TaskId, cut};

/// Earliest eligible virtual deadline first.
///
/// ```
/// use hothouse_kernel::policy::{Eevdf, Policy};
/// assert_eq!(Eevdf::default().spec(), "eevdf:slice=3ms");
/// ```
#[derive(Debug)]
pub struct Eevdf {
    slice: Span,
    /// The queued tasks that were eligible when last looked at: virtual deadline, order, number.
    eligible: BTreeSet<(Virtual, u64, TaskId)>,
    /// The other queued tasks: virtual runtime, order, number.
    early: BTreeSet<(Virtual, u64, TaskId)>,
    order: u64,
    tasks: Vec<Kept>,
    on_cpus: OnCpus,
    /// V.
    mean: Virtual,
    /// Of all that are queued or run.
    weight: i128,
}

/// What is kept of a task.
#[derive(Clone, Debug, Default)]
struct Kept {
    scheduling: Rc<Scheduling>,
    /// Zero for one not seen yet.
    weight: i128,
    place: Place,
    /// v; of one that is away, V - v when it left.
    runtime: Virtual,
    /// The virtual deadline of its request; of one that is away, its distance from v.
    deadline: Virtual,
    order: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Place {
    #[default]
    Away,
    Eligible,
    Early,
    Running,
}

impl Eevdf {
    /// The slice unless another is asked for: 3 ms.
    pub const SLICE: Span = Span::from_millis(3);

    /// With nobody ready.
    ///
    /// # Panics
    ///
    /// If the slice is zero.
    pub fn new(slice: Span) -> Eevdf {
        assert!(!slice.is_zero(), "a slice has a length");
        Eevdf {
            slice,
            eligible: BTreeSet::new(),
            early: BTreeSet::new(),
            order: 0,
            tasks: Vec::new(),
            on_cpus: OnCpus::default(),
            mean: 0,
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

    /// The request of a task in virtual time.
    fn request(&self, id: TaskId) -> Virtual {
        let Kept { scheduling, weight, .. } = &self.tasks[id.0 as usize];
        let slice = scheduling.slice.unwrap_or(self.slice);
        virtual_time(i128::from(slice.nanos()), *weight)
    }

    /// Charges those who run.
    fn advance(&mut self, now: Tick) {
        for place in 0..self.on_cpus.len() {
            let (id, nanos) = self.on_cpus.charge(place, now);
            if nanos > 0 {
                self.charge(id, nanos);
            }
        }
    }

    /// A task was served: its v moves on, and V by its part.
    fn charge(&mut self, id: TaskId, nanos: i128) {
        let kept = self.kept(id);
        kept.runtime += virtual_time(nanos, kept.weight);
        self.mean += virtual_time(nanos, self.weight.max(1));
    }

    /// A task becomes runnable. Its lag is such that it is what it was, once V has moved by it.
    fn join(&mut self, id: TaskId) {
        let (mean, others) = (self.mean, self.weight);
        let kept = self.kept(id);
        let (lag, weight) = (kept.runtime, kept.weight);
        if others == 0 {
            // Alone, it is owed nothing.
            kept.runtime = mean;
        } else {
            kept.runtime = mean - lag * (others + weight) / others;
            self.mean -= lag * weight / others;
        }
        let kept = self.kept(id);
        kept.deadline += kept.runtime;
        self.weight += weight;
    }

    /// A task is no longer runnable, and takes its lag along.
    fn leave(&mut self, id: TaskId) {
        let mean = self.mean;
        let kept = self.kept(id);
        let (lag, weight) = (mean - kept.runtime, kept.weight);
        kept.deadline -= kept.runtime;
        kept.runtime = lag;
        kept.place = Place::Away;
        self.weight -= weight;
        if self.weight > 0 {
            self.mean += lag * weight / self.weight;
        }
    }

    fn insert(&mut self, id: TaskId) {
        let mean = self.mean;
        let kept = self.kept(id);
        let (runtime, deadline, order) = (kept.runtime, kept.deadline, kept.order);
        if runtime <= mean {
            kept.place = Place::Eligible;
            self.eligible.insert((deadline, order, id));
        } else {
            kept.place = Place::Early;
            self.early.insert((runtime, order, id));
        }
    }

    fn remove(&mut self, id: TaskId) {
        let Kept { place, runtime, deadline, order, .. } = *self.kept(id);
        let removed = match place {
            Place::Eligible => self.eligible.remove(&(deadline, order, id)),
            Place::Early => self.early.remove(&(runtime, order, id)),
            Place::Away | Place::Running => false,
        };
        assert!(removed, "only a queued task is taken out");
    }

    /// The eligible task for a CPU with the earliest deadline, or else the one of the least v.
    fn best(&mut self, cpu: CpuId) -> Option<TaskId> {
        let mean = self.mean;
        while let Some(&(runtime, _, id)) = self.early.first()
            && runtime <= mean
        {
            self.remove(id);
            self.insert(id);
        }
        let mut from = (Virtual::MIN, 0, TaskId(0));
        while let Some(&next) = self.eligible.range(from..).next() {
            let kept = &self.tasks[next.2.0 as usize];
            if kept.runtime > mean {
                self.remove(next.2);
                self.insert(next.2);
            } else if kept.scheduling.cpus.contains(cpu.0) {
                return Some(next.2);
            }
            from = (next.0, next.1, TaskId(next.2.0.saturating_add(1)));
        }
        let may_use = |id: TaskId| self.tasks[id.0 as usize].scheduling.cpus.contains(cpu.0);
        self.early.iter().map(|&(.., id)| id).find(|&id| may_use(id))
    }

    /// Takes over what a task asks for; it is away.
    fn update(&mut self, task: &Task) {
        let new = i128::from(tickets(task).max(1));
        let kept = self.kept(task.id);
        kept.scheduling = task.scheduling.clone();
        let old = std::mem::replace(&mut kept.weight, new);
        if old != 0 && old != new {
            kept.runtime = kept.runtime * old / new;
            kept.deadline = kept.deadline * old / new;
        }
    }
}

impl Default for Eevdf {
    fn default() -> Self {
        Eevdf::new(Eevdf::SLICE)
    }
}

impl Policy for Eevdf {
    fn spec(&self) -> String {
        format!("eevdf:slice={}", format_span(self.slice))
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, now: Tick) {
        self.advance(now);
        self.update(task);
        let request = self.request(task.id);
        self.order += 1;
        let order = self.order;
        let kept = self.kept(task.id);
        kept.order = order;
        let returns = matches!(reason, Reason::Wakeup | Reason::Continued | Reason::Changed);
        if returns || reason == Reason::New {
            kept.runtime = kept.runtime.clamp(-request, request);
            kept.deadline = request;
        }
        self.join(task.id);
        let kept = self.kept(task.id);
        let (runtime, deadline, weight) = (kept.runtime, kept.deadline, kept.weight);
        if reason == Reason::Yield && deadline > runtime {
            kept.runtime = deadline;
            self.mean += (deadline - runtime) * weight / self.weight;
        }
        let kept = self.kept(task.id);
        if kept.runtime >= kept.deadline {
            kept.deadline = kept.runtime + request;
        }
        self.insert(task.id);
    }

    fn dequeue(&mut self, task: &Task, now: Tick) {
        self.advance(now);
        self.remove(task.id);
        self.leave(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, now: Tick) -> Option<Pick> {
        self.advance(now);
        let id = self.best(cpu)?;
        self.remove(id);
        self.on_cpus.start(id, now);
        let kept = self.kept(id);
        kept.place = Place::Running;
        let slice = real_time(kept.deadline - kept.runtime, kept.weight);
        Some(Pick { task: id, slice: Some(slice) })
    }

    fn put_prev(&mut self, task: &Task, _cpu: CpuId, ran: Span, _stop: Stop, now: Tick) {
        let rest = self.on_cpus.stop(task.id, ran);
        self.charge(task.id, rest);
        self.advance(now);
        // If it stays runnable, its `enqueue` follows at once and brings it back as it was.
        self.leave(task.id);
    }

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], now: Tick) -> Option<CpuId> {
        self.advance(now);
        let of = |id: TaskId| &self.tasks[id.0 as usize];
        let woken = of(woken.id);
        if woken.runtime > self.mean {
            return None;
        }
        let loses = |running: &&Running| {
            let running = of(running.task.id);
            running.deadline > woken.deadline || running.runtime > self.mean
        };
        let last = running.iter().filter(loses).max_by_key(|it| of(it.task.id).deadline)?;
        Some(last.cpu)
    }

    fn changed(&mut self, task: &Task, queued: bool, now: Tick) {
        self.advance(now);
        let place = self.kept(task.id).place;
        if queued {
            self.remove(task.id);
        }
        if place != Place::Away {
            self.leave(task.id);
        }
        self.update(task);
        if place != Place::Away {
            self.join(task.id);
            self.kept(task.id).place = place;
        }
        if queued {
            self.insert(task.id);
        }
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
