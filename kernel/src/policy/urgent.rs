//! Strict urgency, which `edf` and `rm` share: a key for each task, the least runs first.

use std::collections::BTreeMap;

use hothouse_abi::CpuSet;

use super::{CpuId, Reason, Running, Task, TaskId};

/// The ready tasks by urgency, and who preempts whom by it.
#[derive(Debug)]
pub(super) struct Urgent<K> {
    /// How urgent a task is: the least is the most urgent.
    key: fn(&Task) -> K,
    ready: BTreeMap<(K, i64), (TaskId, CpuSet)>,
    /// Where in `ready` each queued task is.
    places: Vec<Option<(K, i64)>>,
    /// The last places given out behind and before the others of a key.
    last: i64,
    first: i64,
}

impl<K: Ord + Copy> Urgent<K> {
    pub(super) fn new(key: fn(&Task) -> K) -> Urgent<K> {
        Urgent { key, ready: BTreeMap::new(), places: Vec::new(), last: 0, first: 0 }
    }

    /// Queues a task behind its equals; one that was preempted before them.
    pub(super) fn enqueue(&mut self, task: &Task, reason: Reason) {
        let order = if reason == Reason::Preempted {
            self.first -= 1;
            self.first
        } else {
            self.last += 1;
            self.last
        };
        let place = ((self.key)(task), order);
        let index = task.id.0 as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, None);
        }
        assert!(self.places[index].replace(place).is_none(), "a task is queued once");
        self.ready.insert(place, (task.id, task.scheduling.cpus.clone()));
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        let place = self.places.get_mut(id.0 as usize).and_then(Option::take);
        let place = place.expect("invariant: only a queued task is taken out");
        self.ready.remove(&place);
    }

    /// Takes the most urgent task that may use a CPU.
    pub(super) fn pick(&mut self, cpu: CpuId) -> Option<TaskId> {
        let (_, id) = self.first_for(cpu)?;
        self.remove(id);
        Some(id)
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
        self.first_for(cpu).is_some_and(|(key, _)| key < (self.key)(task))
    }

    /// Moves a queued task whose urgency changed.
    pub(super) fn changed(&mut self, task: &Task) {
        let place = self.places.get(task.id.0 as usize).copied().flatten();
        if place.is_some_and(|(key, _)| key != (self.key)(task)) {
            self.remove(task.id);
            self.enqueue(task, Reason::Changed);
        }
    }

    fn first_for(&self, cpu: CpuId) -> Option<(K, TaskId)> {
        let mut ready = self.ready.iter();
        let ((key, _), (id, _)) = ready.find(|(_, (_, cpus))| cpus.contains(cpu.0))?;
        Some((*key, *id))
    }
}
