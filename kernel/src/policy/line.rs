//! The queue of [`Fifo`](super::Fifo): a ring of task numbers, in which those who come next lie side
//! by side, so that the machine can look ahead at no cost.

use std::collections::VecDeque;

use super::{TaskId, cut};

/// No task: its place in the line is empty, or it has none.
const NONE: u32 = u32::MAX;

/// Tasks in order, from which any is taken in O(1) amortised.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The first is a task, unless there is none.
    ring: VecDeque<u32>,
    /// The number of the place of the first in the ring; it wraps around.
    first: u32,
    /// The number of each task's place.
    places: Vec<u32>,
    /// How many places in the ring are empty.
    empty: usize,
}

/// Numbers of places have 31 bits, so that none of them is [`NONE`].
const MASK: u32 = u32::MAX >> 1;

/// How many more places than tasks may be empty.
const SPARE: usize = 64;

impl Line {
    /// Adds a task behind the others.
    ///
    /// # Panics
    ///
    /// If it is in the line already.
    #[inline(always)]
    pub(super) fn push_back(&mut self, id: TaskId) {
        let index = id.0 as usize;
        if index >= self.places.len() {
            self.grow(id);
        }
        assert!(self.places[index] == NONE, "a task is queued once, {id:?} is queued already");
        self.places[index] = self.first.wrapping_add(self.ring.len() as u32) & MASK;
        self.ring.push_back(id.0);
    }

    #[cold]
    fn grow(&mut self, id: TaskId) {
        self.places.resize(id.0 as usize + 1, NONE);
    }

    /// Takes the first task.
    #[inline(always)]
    pub(super) fn pop_front(&mut self) -> Option<TaskId> {
        let id = self.ring.pop_front()?;
        self.first = self.first.wrapping_add(1) & MASK;
        self.places[id as usize] = NONE;
        if self.empty > 0 {
            self.skip_empty();
        }
        Some(TaskId(id))
    }

    /// Takes a task out, wherever it is.
    ///
    /// # Panics
    ///
    /// If it is not in the line.
    pub(super) fn remove(&mut self, id: TaskId) {
        let place = std::mem::replace(&mut self.places[id.0 as usize], NONE);
        assert!(place != NONE, "only a queued task is taken out, {id:?} is not queued");
        self.ring[(place.wrapping_sub(self.first) & MASK) as usize] = NONE;
        self.empty += 1;
        self.skip_empty();
        if self.empty > self.ring.len() / 2 + SPARE {
            self.close_up();
        }
    }

    /// Gives back the memory for tasks with numbers from `tasks` on, none of which is in the line.
    pub(super) fn trim(&mut self, tasks: usize) {
        debug_assert!(self.places.iter().skip(tasks).all(|&place| place == NONE));
        cut(&mut self.places, tasks);
        self.ring.shrink_to_fit();
    }

    /// The tasks, first to last.
    pub(super) fn iter(&self) -> impl Iterator<Item = TaskId> {
        self.ring.iter().filter(|&&id| id != NONE).map(|&id| TaskId(id))
    }

    /// The task that many places behind the first, if that place is not empty.
    #[inline(always)]
    pub(super) fn ahead(&self, places: usize) -> Option<TaskId> {
        self.ring.get(places).filter(|&&id| id != NONE).map(|&id| TaskId(id))
    }

    fn skip_empty(&mut self) {
        while self.ring.front() == Some(&NONE) {
            self.ring.pop_front();
            self.first = self.first.wrapping_add(1) & MASK;
            self.empty -= 1;
        }
    }

    /// Removes the empty places.
    fn close_up(&mut self) {
        self.ring.retain(|&id| id != NONE);
        self.empty = 0;
        for (&id, place) in self.ring.iter().zip(0..) {
            self.places[id as usize] = self.first.wrapping_add(place) & MASK;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_behaves_as_a_vector(ops in prop::collection::vec((0..8u8, 0..150u32), 0..900)) {
            // Numbers wrap around on the way.
            let mut line = Line { first: MASK - 100, ..Line::default() };
            let mut model = Vec::<TaskId>::new();
            for (op, id) in ops {
                let id = TaskId(id);
                match (op, model.iter().position(|&other| other == id)) {
                    (0, _) => {
                        let first = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(line.pop_front(), first);
                    }
                    (1..4, Some(at)) => {
                        line.remove(id);
                        model.remove(at);
                    }
                    (_, None) => {
                        line.push_back(id);
                        model.push(id);
                    }
                    _ => {}
                }
                prop_assert_eq!(&line.iter().collect::<Vec<_>>(), &model);
                prop_assert_eq!(line.ahead(0), model.first().copied());
                prop_assert!(line.ring.len() <= 2 * model.len() + 2 * SPARE);
            }
        }
    }

    #[test]
    #[should_panic(expected = "is queued already")]
    fn a_task_is_queued_once() {
        let mut line = Line::default();
        line.push_back(TaskId(0));
        line.push_back(TaskId(0));
    }

    #[test]
    #[should_panic(expected = "is not queued")]
    fn a_task_that_is_not_queued_is_not_taken_out() {
        let mut line = Line::default();
        line.push_back(TaskId(1));
        line.remove(TaskId(0));
    }
}
