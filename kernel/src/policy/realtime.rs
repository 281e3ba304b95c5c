//! Real time by fixed priority: the classes `SCHED_FIFO` and `SCHED_RR`.
//!
//! 1. The ready task of the highest priority, 1 to 99, runs first; among equals the order is that of
//!    becoming ready. A task that yields goes behind its equals, a preempted one before them.
//! 2. A task of `SCHED_RR` runs for at most a slice (its own, or 100 ms) and then goes behind its
//!    equals; what a preempted one has left of its slice it keeps. One of `SCHED_FIFO` runs until it
//!    blocks.
//! 3. A task that becomes ready preempts the lowest priority that runs, if that is lower than its
//!    own; of several such CPUs, the one of the highest number.
//!
//! Sources: POSIX.1-2017, "Scheduling Policies"; sched(7) for the slice.

use hothouse_abi::{Class, Span};

use super::{CpuId, Ordered, Pick, Reason, Stop, Task, TaskId, cut};

/// The slice of `SCHED_RR`, unless a task has its own.
const SLICE: Span = Span::from_millis(100);

/// The ready tasks of these classes.
#[derive(Debug, Default)]
pub(super) struct RealTime {
    ready: Ordered<u8>,
    /// What is left of the slice of each task; `None`: it gets a fresh one, or has none.
    left: Vec<Option<Span>>,
    slices: Vec<Option<Span>>,
}

impl RealTime {
    pub(super) fn enqueue(&mut self, task: &Task, reason: Reason) {
        let index = task.id.0 as usize;
        if index >= self.left.len() {
            self.left.resize(index + 1, None);
            self.slices.resize(index + 1, None);
        }
        let has_slice = matches!(task.class, Class::RoundRobin(_));
        self.slices[index] = has_slice.then(|| task.scheduling.slice.unwrap_or(SLICE));
        let before = u8::MAX - task.class.rank();
        if reason == Reason::Preempted {
            self.ready.push_front(before, task);
        } else {
            self.left[index] = None;
            self.ready.push(before, task);
        }
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        self.ready.remove(id);
    }

    pub(super) fn pick(&mut self, cpu: CpuId) -> Option<Pick> {
        let (_, task) = self.ready.pop_for(cpu)?;
        let index = task.0 as usize;
        let slice = self.slices[index].map(|slice| self.left[index].unwrap_or(slice));
        self.left[index] = slice;
        Some(Pick { task, slice })
    }

    pub(super) fn put_prev(&mut self, task: &Task, ran: Span, stop: Stop) {
        let left = &mut self.left[task.id.0 as usize];
        let rest = left.map(|left| left - ran).filter(|left| !left.is_zero());
        *left = rest.filter(|_| stop == Stop::Preempted);
    }

    /// The rank of the first who may use a CPU.
    pub(super) fn best_for(&self, cpu: CpuId) -> Option<u8> {
        self.ready.first_for(cpu).map(|(before, _)| u8::MAX - before)
    }

    pub(super) fn forget(&mut self, id: TaskId) {
        if let Some(left) = self.left.get_mut(id.0 as usize) {
            *left = None;
        }
    }

    /// Gives back the memory for tasks with numbers from `tasks` on.
    pub(super) fn trim(&mut self, tasks: usize) {
        self.ready.trim(tasks);
        cut(&mut self.left, tasks);
        cut(&mut self.slices, tasks);
    }
}
