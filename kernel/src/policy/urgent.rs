//! Strict urgency, which `edf` and `rm` share: a key for each task, the least runs first.

use super::{CpuId, Ordered, Reason, Running, Task, TaskId};

/// The ready tasks by urgency, and who preempts whom by it.
#[derive(Debug)]
pub(super) struct Urgent<K> {
    /// How urgent a task is: the least is the most urgent.
    key: fn(&Task) -> K,
    ready: Ordered<K>,
}

impl<K: Ord + Copy> Urgent<K> {
    pub(super) fn new(key: fn(&Task) -> K) -> Urgent<K> {
        Urgent { key, ready: Ordered::new() }
    }

    /// Queues a task behind its equals; one that was preempted before them.
    pub(super) fn enqueue(&mut self, task: &Task, reason: Reason) {
        let key = (self.key)(task);
        if reason == Reason::Preempted {
            self.ready.push_front(key, task);
        } else {
            self.ready.push(key, task);
        }
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        self.ready.remove(id);
    }

    /// Takes the most urgent task that may use a CPU.
    pub(super) fn pick(&mut self, cpu: CpuId) -> Option<TaskId> {
        self.ready.pop_for(cpu).map(|(_, id)| id)
    }

    /// The CPU that runs the least urgent task, if that is strictly less urgent than `woken`; of
    /// several such CPUs the one of the highest number.
    pub(super) fn preempts(&self, woken: &Task, running: &[Running]) -> Option<CpuId> {
        let worst =
            running.iter().max_by_key(|running| ((self.key)(&running.task), running.cpu))?;
        ((self.key)(&worst.task) > (self.key)(woken)).then_some(worst.cpu)
    }

    /// Whether somebody queued is strictly more urgent than the task that runs on this CPU.
    pub(super) fn has_better(&self, task: &Task, cpu: CpuId) -> bool {
        self.ready.first_for(cpu).is_some_and(|(key, _)| key < (self.key)(task))
    }

    /// Gives back the memory for tasks with numbers from `tasks` on.
    pub(super) fn trim(&mut self, tasks: usize) {
        self.ready.trim(tasks);
    }

    /// Moves a queued task whose urgency changed.
    pub(super) fn changed(&mut self, task: &Task) {
        if self.ready.key(task.id).is_some_and(|key| key != (self.key)(task)) {
            self.remove(task.id);
            self.enqueue(task, Reason::Changed);
        }
    }
}
