//! Who waits at a lock, in order of arrival.

use std::collections::VecDeque;

use super::process::Key;

/// How many nice levels there are, from -20 on.
const LEVELS: usize = 40;

/// The queue of a lock. One who leaves it before its turn costs O(log n), whoever else waits.
#[derive(Debug)]
pub(super) struct Waiters {
    /// By place, which rises from front to back. Who has left is none.
    places: VecDeque<(u64, Option<Waiter>)>,
    /// How many have not left.
    len: usize,
    last: u64,
    /// How many there are of each nice level, if somebody inherits them.
    levels: Option<Box<[usize; LEVELS]>>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    key: Key,
    nice: i8,
}

impl Waiters {
    /// With nobody in it.
    pub(super) fn new(inherited: bool) -> Waiters {
        let levels = inherited.then(|| Box::new([0; LEVELS]));
        Waiters { places: VecDeque::new(), len: 0, last: 0, levels }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts a process at the end. Returns its place.
    pub(super) fn push(&mut self, key: Key, nice: i8) -> u64 {
        self.last += 1;
        self.places.push_back((self.last, Some(Waiter { key, nice })));
        self.len += 1;
        if let Some(level) = self.level(nice) {
            *level += 1;
        }
        self.last
    }

    /// Takes the first one, with its place.
    pub(super) fn pop(&mut self) -> Option<(u64, Key)> {
        while let Some((place, waiter)) = self.places.pop_front() {
            if let Some(Waiter { key, nice }) = waiter {
                self.left(nice);
                return Some((place, key));
            }
        }
        None
    }

    /// Takes out who has this place. Returns its nice level.
    pub(super) fn remove(&mut self, place: u64) -> Option<i8> {
        let waiter = self.at(place)?.take()?;
        self.left(waiter.nice);
        // So that those who left are never more than those who wait.
        if self.places.len() > 2 * self.len {
            self.places.retain(|(_, waiter)| waiter.is_some());
        }
        Some(waiter.nice)
    }

    /// Notes the nice level of who has this place.
    pub(super) fn change(&mut self, place: u64, nice: i8) {
        let Some(Some(waiter)) = self.at(place) else { return };
        let old = std::mem::replace(&mut waiter.nice, nice);
        if let Some(levels) = &mut self.levels {
            levels[index(old)] -= 1;
            levels[index(nice)] += 1;
        }
    }

    /// The lowest nice level of all, if somebody inherits it.
    pub(super) fn lowest(&self) -> Option<i8> {
        let level = self.levels.as_ref()?.iter().position(|&count| count > 0)?;
        Some(level as i8 - 20)
    }

    fn at(&mut self, place: u64) -> Option<&mut Option<Waiter>> {
        let at = self.places.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&mut self.places[at].1)
    }

    fn level(&mut self, nice: i8) -> Option<&mut usize> {
        self.levels.as_mut().map(|levels| &mut levels[index(nice)])
    }

    fn left(&mut self, nice: i8) {
        self.len -= 1;
        if let Some(level) = self.level(nice) {
            *level -= 1;
        }
    }
}

fn index(nice: i8) -> usize {
    usize::from((nice + 20).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_leave_are_passed_over_and_forgotten() {
        let mut waiters = Waiters::new(true);
        let first = waiters.push(7, 0);
        let urgent = waiters.push(8, -5);
        for _ in 0..100 {
            let place = waiters.push(9, 3);
            assert_eq!(waiters.remove(place), Some(3));
            assert_eq!(waiters.remove(place), None);
        }
        assert!(waiters.places.len() <= 4);
        assert_eq!((waiters.len(), waiters.lowest()), (2, Some(-5)));
        waiters.change(urgent, 1);
        assert_eq!(waiters.lowest(), Some(0));
        assert_eq!(waiters.remove(first), Some(0));
        assert_eq!(waiters.pop(), Some((urgent, 8)));
        assert_eq!((waiters.pop(), waiters.lowest()), (None, None));
    }
}
