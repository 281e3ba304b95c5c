use std::collections::BTreeMap;

use hothouse_abi::CpuSet;

use super::{CpuId, Task, TaskId, cut};

/// The ready tasks by a key, the least first; equals in the order in which they were pushed.
///
/// Every operation is O(log n), but for those tasks that are passed over because they may not use
/// the CPU.
///
/// ```
/// use hothouse_abi::Pid;
/// use hothouse_kernel::policy::{CpuId, Ordered, Task, TaskId};
/// let mut ready = Ordered::new();
/// ready.push(7, &Task::new(TaskId(0), Pid::new(1)));
/// ready.push(5, &Task::new(TaskId(1), Pid::new(2)));
/// assert_eq!(ready.first_for(CpuId(0)), Some((5, TaskId(1))));
/// assert_eq!(ready.remove(TaskId(1)), 5);
/// assert_eq!(ready.pop_for(CpuId(0)), Some((7, TaskId(0))));
/// assert!(ready.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Ordered<K> {
    ready: BTreeMap<(K, i64), (TaskId, CpuSet)>,
    /// Where in `ready` each queued task is.
    places: Vec<Option<(K, i64)>>,
    /// The last place given out before the others of a key, and behind them.
    first: i64,
    last: i64,
}

impl<K: Ord + Copy> Default for Ordered<K> {
    fn default() -> Self {
        Ordered::new()
    }
}

impl<K: Ord + Copy> Ordered<K> {
    /// With nobody in it.
    pub const fn new() -> Ordered<K> {
        Ordered { ready: BTreeMap::new(), places: Vec::new(), first: 0, last: 0 }
    }

    /// How many tasks are in it.
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// The key of a task that is in it.
    pub fn key(&self, id: TaskId) -> Option<K> {
        self.places.get(id.0 as usize).copied().flatten().map(|(key, _)| key)
    }

    /// Gives back the memory for tasks with numbers from `tasks` on, none of which is in it.
    pub fn trim(&mut self, tasks: usize) {
        cut(&mut self.places, tasks);
    }

    /// Adds a task behind all whose key is not greater.
    ///
    /// # Panics
    ///
    /// If it is in it already.
    pub fn push(&mut self, key: K, task: &Task) {
        self.last += 1;
        self.insert((key, self.last), task);
    }

    /// Adds a task before all whose key is not less.
    ///
    /// # Panics
    ///
    /// If it is in it already.
    pub fn push_front(&mut self, key: K, task: &Task) {
        self.first -= 1;
        self.insert((key, self.first), task);
    }

    fn insert(&mut self, place: (K, i64), task: &Task) {
        let index = task.id.0 as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, None);
        }
        assert!(self.places[index].is_none(), "a task is queued once, {:?} is already", task.id);
        self.places[index] = Some(place);
        self.ready.insert(place, (task.id, task.scheduling.cpus.clone()));
    }

    /// Takes a task out, wherever it is, and returns its key.
    ///
    /// # Panics
    ///
    /// If it is not in it.
    pub fn remove(&mut self, id: TaskId) -> K {
        let place = self.places.get_mut(id.0 as usize).and_then(Option::take);
        let Some(place) = place else {
            panic!("only a queued task is taken out, {id:?} is not queued");
        };
        self.ready.remove(&place);
        place.0
    }

    /// The first task that may use a CPU, with its key.
    pub fn first_for(&self, cpu: CpuId) -> Option<(K, TaskId)> {
        let mut ready = self.ready.iter();
        let ((key, _), (id, _)) = ready.find(|(_, (_, cpus))| cpus.contains(cpu.0))?;
        Some((*key, *id))
    }

    /// Takes the first task that may use a CPU.
    pub fn pop_for(&mut self, cpu: CpuId) -> Option<(K, TaskId)> {
        let first = self.first_for(cpu)?;
        self.remove(first.1);
        Some(first)
    }

    /// The tasks with their keys, first to last.
    pub fn iter(&self) -> impl Iterator<Item = (K, TaskId)> + '_ {
        self.ready.iter().map(|((key, _), (id, _))| (*key, *id))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use hothouse_abi::Scheduling;
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    /// A task that may use every CPU if `cpu` is 2, else that one alone.
    fn task(id: u32, cpu: u32) -> Task {
        let cpus = if cpu == 2 { CpuSet::all() } else { [cpu].into_iter().collect() };
        let scheduling = Rc::new(Scheduling { cpus, ..Scheduling::default() });
        Task { scheduling, ..testing::task(id, 0) }
    }

    proptest! {
        #[test]
        fn it_behaves_as_a_vector_that_is_sorted_stably(
            ops in prop::collection::vec((0..4u8, 0..4u8, 0..8u32, 0..3u32), 0..200),
        ) {
            let mut ordered = Ordered::new();
            let mut model = Vec::<(u8, TaskId, u32)>::new();
            for (op, key, id, cpu) in ops {
                let at = model.iter().position(|entry| entry.1 == TaskId(id));
                match (op, at) {
                    (0, None) => {
                        ordered.push(key, &task(id, cpu));
                        model.push((key, TaskId(id), cpu));
                        model.sort_by_key(|entry| entry.0);
                    }
                    (3, None) => {
                        ordered.push_front(key, &task(id, cpu));
                        let at = model.partition_point(|entry| entry.0 < key);
                        model.insert(at, (key, TaskId(id), cpu));
                    }
                    (1, Some(at)) => {
                        prop_assert_eq!(ordered.remove(TaskId(id)), model.remove(at).0);
                    }
                    (2, _) if cpu < 2 => {
                        let may = |entry: &(u8, TaskId, u32)| entry.2 == 2 || entry.2 == cpu;
                        let first = model.iter().position(may).map(|at| model.remove(at));
                        let first = first.map(|entry| (entry.0, entry.1));
                        prop_assert_eq!(ordered.first_for(CpuId(cpu)), first);
                        prop_assert_eq!(ordered.pop_for(CpuId(cpu)), first);
                    }
                    _ => {}
                }
                let all: Vec<_> = model.iter().map(|entry| (entry.0, entry.1)).collect();
                prop_assert_eq!(ordered.iter().collect::<Vec<_>>(), all);
                prop_assert_eq!((ordered.len(), ordered.is_empty()), (model.len(), model.is_empty()));
                let queued = model.iter().find(|entry| entry.1 == TaskId(id));
                prop_assert_eq!(ordered.key(TaskId(id)), queued.map(|entry| entry.0));
            }
        }
    }

    #[test]
    #[should_panic(expected = "a task is queued once")]
    fn a_task_is_queued_once() {
        let mut ordered = Ordered::new();
        ordered.push(0, &task(0, 2));
        ordered.push(1, &task(0, 2));
    }

    #[test]
    #[should_panic(expected = "is not queued")]
    fn a_task_that_is_not_queued_is_not_taken_out() {
        Ordered::<u8>::new().remove(TaskId(0));
    }
}
