//! Queues of tasks that cost nothing per operation: intrusive doubly linked lists over the dense
//! task numbers.

use super::{TaskId, cut};

/// No task: the end of a list.
const NONE: u32 = u32::MAX;
/// In `Link::prev`: the task is in no list.
const UNLINKED: u32 = u32::MAX - 1;

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
}

/// The links of all tasks, shared by any number of [`List`]s, of which a task is in at most one.
///
/// It grows to the highest task number seen, and no operation on a list allocates otherwise.
#[derive(Clone, Debug, Default)]
pub struct Links(Vec<Link>);

impl Links {
    /// No links.
    pub fn new() -> Links {
        Links::default()
    }

    /// Whether the task is in one of the lists.
    #[inline]
    pub fn contains(&self, id: TaskId) -> bool {
        self.0.get(id.0 as usize).is_some_and(|link| link.prev != UNLINKED)
    }

    /// Gives back the memory for tasks with numbers from `tasks` on, none of which is in a list.
    pub fn trim(&mut self, tasks: usize) {
        debug_assert!(self.0.iter().skip(tasks).all(|link| link.prev == UNLINKED));
        cut(&mut self.0, tasks);
    }

    /// Readies the link of a task for use.
    #[inline(always)]
    fn claim(&mut self, id: TaskId) {
        let index = id.0 as usize;
        if index >= self.0.len() {
            self.grow(id);
        }
        assert!(self.0[index].prev == UNLINKED, "a task is queued once, {id:?} is queued already");
    }

    #[cold]
    fn grow(&mut self, id: TaskId) {
        assert!(id.0 < UNLINKED, "task numbers are below {UNLINKED}");
        self.0.resize(id.0 as usize + 1, Link { prev: UNLINKED, next: NONE });
    }

    #[inline]
    fn at(&mut self, index: u32) -> &mut Link {
        &mut self.0[index as usize]
    }
}

/// A queue of tasks whose links are kept apart, so that a policy with many queues needs one set of
/// [`Links`] only.
///
/// ```
/// use hothouse_kernel::policy::{Links, List, TaskId};
/// let (mut links, mut high, mut low) = (Links::new(), List::new(), List::new());
/// low.push_back(&mut links, TaskId(0));
/// high.push_back(&mut links, TaskId(1));
/// assert_eq!(high.pop_front(&mut links), Some(TaskId(1)));
/// assert!(high.is_empty() && links.contains(TaskId(0)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl Default for List {
    fn default() -> Self {
        List::new()
    }
}

impl List {
    /// An empty list.
    pub const fn new() -> List {
        List { head: NONE, tail: NONE, len: 0 }
    }

    /// How many tasks are in it.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether none is.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a task behind the others.
    ///
    /// # Panics
    ///
    /// If it is in a list already.
    #[inline(always)]
    pub fn push_back(&mut self, links: &mut Links, id: TaskId) {
        links.claim(id);
        *links.at(id.0) = Link { prev: self.tail, next: NONE };
        match self.tail {
            NONE => self.head = id.0,
            tail => links.at(tail).next = id.0,
        }
        self.tail = id.0;
        self.len += 1;
    }

    /// Adds a task before the others.
    ///
    /// # Panics
    ///
    /// If it is in a list already.
    pub fn push_front(&mut self, links: &mut Links, id: TaskId) {
        links.claim(id);
        *links.at(id.0) = Link { prev: NONE, next: self.head };
        match self.head {
            NONE => self.tail = id.0,
            head => links.at(head).prev = id.0,
        }
        self.head = id.0;
        self.len += 1;
    }

    /// Takes the first task.
    pub fn pop_front(&mut self, links: &mut Links) -> Option<TaskId> {
        let id = self.front()?;
        self.remove(links, id);
        Some(id)
    }

    /// The first task.
    pub const fn front(&self) -> Option<TaskId> {
        if self.head == NONE { None } else { Some(TaskId(self.head)) }
    }

    /// Takes a task out, wherever in this list it is. Which list a task is in is the caller's to
    /// know.
    ///
    /// # Panics
    ///
    /// If it is in no list.
    #[inline(always)]
    pub fn remove(&mut self, links: &mut Links, id: TaskId) {
        assert!(links.contains(id), "only a queued task is taken out, {id:?} is not queued");
        let Link { prev, next } = *links.at(id.0);
        match prev {
            NONE => self.head = next,
            prev => links.at(prev).next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => links.at(next).prev = prev,
        }
        *links.at(id.0) = Link { prev: UNLINKED, next: NONE };
        self.len -= 1;
    }

    /// The tasks, first to last.
    pub fn iter<'a>(&self, links: &'a Links) -> impl Iterator<Item = TaskId> + use<'a> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            let id = (at != NONE).then_some(TaskId(at))?;
            at = links.0[at as usize].next;
            Some(id)
        })
    }
}

/// A queue of tasks from which any task is taken in O(1).
///
/// ```
/// use hothouse_kernel::policy::{Queue, TaskId};
/// let mut queue = Queue::new();
/// queue.push_back(TaskId(3));
/// queue.push_back(TaskId(1));
/// queue.push_front(TaskId(2));
/// queue.remove(TaskId(3));
/// assert_eq!(queue.iter().collect::<Vec<_>>(), [TaskId(2), TaskId(1)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Queue {
    links: Links,
    list: List,
}

impl Queue {
    /// An empty queue.
    pub fn new() -> Queue {
        Queue::default()
    }

    /// How many tasks are in it.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none is.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether this task is in it.
    #[inline]
    pub fn contains(&self, id: TaskId) -> bool {
        self.links.contains(id)
    }

    /// Gives back the memory for tasks with numbers from `tasks` on, none of which is in the queue.
    pub fn trim(&mut self, tasks: usize) {
        self.links.trim(tasks);
    }

    /// Adds a task behind the others.
    ///
    /// # Panics
    ///
    /// If it is in the queue already.
    #[inline]
    pub fn push_back(&mut self, id: TaskId) {
        self.list.push_back(&mut self.links, id);
    }

    /// Adds a task before the others.
    ///
    /// # Panics
    ///
    /// If it is in the queue already.
    pub fn push_front(&mut self, id: TaskId) {
        self.list.push_front(&mut self.links, id);
    }

    /// Takes the first task.
    pub fn pop_front(&mut self) -> Option<TaskId> {
        self.list.pop_front(&mut self.links)
    }

    /// The first task.
    pub const fn front(&self) -> Option<TaskId> {
        self.list.front()
    }

    /// Takes a task out, wherever in the queue it is.
    ///
    /// # Panics
    ///
    /// If it is not in the queue.
    #[inline]
    pub fn remove(&mut self, id: TaskId) {
        self.list.remove(&mut self.links, id);
    }

    /// The tasks, first to last.
    pub fn iter(&self) -> impl Iterator<Item = TaskId> {
        self.list.iter(&self.links)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_lists_behave_as_two_vectors(ops in prop::collection::vec((0..4u8, 0..2usize, 0..8u32), 0..200)) {
            let mut links = Links::new();
            let mut lists = [List::new(); 2];
            let mut models = [Vec::<TaskId>::new(), Vec::new()];
            for (op, which, id) in ops {
                let id = TaskId(id);
                let owner = models.iter().position(|model| model.contains(&id));
                let (list, model) = (&mut lists[which], &mut models[which]);
                match (op, owner) {
                    (0, None) => {
                        list.push_back(&mut links, id);
                        model.push(id);
                    }
                    (1, None) => {
                        list.push_front(&mut links, id);
                        model.insert(0, id);
                    }
                    (2, _) => {
                        let first = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(list.pop_front(&mut links), first);
                    }
                    (3, Some(owner)) => {
                        lists[owner].remove(&mut links, id);
                        models[owner].retain(|&other| other != id);
                    }
                    _ => {}
                }
                for (list, model) in lists.iter().zip(&models) {
                    prop_assert_eq!(&list.iter(&links).collect::<Vec<_>>(), model);
                    prop_assert_eq!(list.len(), model.len());
                    prop_assert_eq!(list.front(), model.first().copied());
                }
                let queued = models.iter().any(|model| model.contains(&id));
                prop_assert_eq!(links.contains(id), queued);
            }
        }
    }

    #[test]
    #[should_panic(expected = "is queued already")]
    fn a_task_is_queued_once() {
        let mut queue = Queue::new();
        queue.push_back(TaskId(0));
        queue.push_front(TaskId(0));
    }

    #[test]
    #[should_panic(expected = "is not queued")]
    fn a_task_that_is_not_queued_is_not_taken_out() {
        let mut queue = Queue::new();
        queue.push_back(TaskId(1));
        queue.remove(TaskId(0));
    }
}
