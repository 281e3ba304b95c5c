//! The queue of [`Fifo`](super::Fifo): a ring of task numbers, in which those who come next lie side
//! by side, so that the machine can look ahead at no cost.

use super::{TaskId, cut};

/// No task: its place in the line is empty, or it has none.
const NONE: u32 = u32::MAX;

/// Numbers of places have 31 bits, so that none of them is [`NONE`].
const MASK: u32 = u32::MAX >> 1;

/// How many more places than tasks may be empty.
const SPARE: usize = 64;

/// Tasks in order, from which any is taken in O(1) amortised.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The place with number `n` is at `n` modulo the length, which is a power of two, or zero.
    ring: Vec<u32>,
    /// The number of the first place, in which a task is unless there is none, and that behind the
    /// last one. Both wrap around.
    first: u32,
    end: u32,
    /// The number of each task's place.
    places: Vec<u32>,
    /// How many places in the ring are empty.
    empty: usize,
}

impl Line {
    /// How many places there are, empty ones included.
    #[inline(always)]
    fn len(&self) -> usize {
        self.end.wrapping_sub(self.first) as usize
    }

    #[inline(always)]
    fn at(&self, place: u32) -> usize {
        place as usize & self.ring.len().wrapping_sub(1)
    }

    /// Adds a task behind the others.
    ///
    /// # Panics
    ///
    /// If it is in the line already.
    #[inline(always)]
    pub(super) fn push_back(&mut self, id: TaskId) {
        if self.len() == self.ring.len() {
            self.grow();
        }
        let place = self.end;
        match self.places.get_mut(id.0 as usize) {
            Some(old) => {
                assert!(*old == NONE, "a task is queued once, {id:?} is queued already");
                *old = place & MASK;
            }
            None => self.place_new(id, place & MASK),
        }
        let at = self.at(place);
        self.ring[at] = id.0;
        self.end = place.wrapping_add(1);
    }

    #[cold]
    #[inline(never)]
    fn place_new(&mut self, id: TaskId, place: u32) {
        self.places.resize(id.0 as usize + 1, NONE);
        self.places[id.0 as usize] = place;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.resize((2 * self.ring.len()).max(16));
    }

    /// Moves the places to a ring of this length, a power of two in which they fit.
    fn resize(&mut self, len: usize) {
        let mut ring = vec![NONE; len];
        for place in 0..self.len() as u32 {
            let place = self.first.wrapping_add(place);
            ring[place as usize & (len - 1)] = self.ring[self.at(place)];
        }
        self.ring = ring;
    }

    /// Takes the first task.
    #[inline(always)]
    pub(super) fn pop_front(&mut self) -> Option<TaskId> {
        if self.first == self.end {
            return None;
        }
        let id = self.ring[self.at(self.first)];
        self.first = self.first.wrapping_add(1);
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
        let at = self.at(place);
        self.ring[at] = NONE;
        self.empty += 1;
        self.skip_empty();
        if self.empty > self.len() / 2 + SPARE {
            self.close_up();
        }
    }

    /// Gives back the memory for tasks with numbers from `tasks` on, none of which is in the line.
    pub(super) fn trim(&mut self, tasks: usize) {
        debug_assert!(self.places.iter().skip(tasks).all(|&place| place == NONE));
        cut(&mut self.places, tasks);
        self.resize(self.len().next_power_of_two());
    }

    /// The tasks, first to last.
    pub(super) fn iter(&self) -> impl Iterator<Item = TaskId> {
        let places = (0..self.len() as u32).map(|place| self.first.wrapping_add(place));
        let ids = places.map(|place| self.ring[self.at(place)]);
        ids.filter(|&id| id != NONE).map(TaskId)
    }

    /// The task that many places behind the first, if that place is not empty.
    #[inline(always)]
    pub(super) fn ahead(&self, places: u32) -> Option<TaskId> {
        if self.len() <= places as usize {
            return None;
        }
        let id = self.ring[self.at(self.first.wrapping_add(places))];
        (id != NONE).then_some(TaskId(id))
    }

    fn skip_empty(&mut self) {
        while self.first != self.end && self.ring[self.at(self.first)] == NONE {
            self.first = self.first.wrapping_add(1);
            self.empty -= 1;
        }
    }

    /// Removes the empty places.
    fn close_up(&mut self) {
        let mut end = self.first;
        for place in 0..self.len() as u32 {
            let id = self.ring[self.at(self.first.wrapping_add(place))];
            if id != NONE {
                let at = self.at(end);
                self.ring[at] = id;
                self.places[id as usize] = end & MASK;
                end = end.wrapping_add(1);
            }
        }
        self.end = end;
        self.empty = 0;
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
            let start = u32::MAX - 100;
            let mut line = Line { first: start, end: start, ..Line::default() };
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
                prop_assert!(line.len() <= 2 * model.len() + 2 * SPARE);
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
