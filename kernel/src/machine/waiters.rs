//! Who waits at a lock, in order of arrival.

use std::collections::VecDeque;

use super::process::Key;
use super::urgency::{Lenders, Urgency};

/// The queue of a lock. One who leaves it before its turn costs O(log n), whoever else waits.
#[derive(Debug)]
pub(super) struct Waiters {
    /// By place, which rises from front to back. Who has left is none.
    places: VecDeque<(u64, Option<Waiter>)>,
    /// How many have not left.
    len: usize,
    last: u64,
    /// How urgent they are, if somebody inherits it.
    lenders: Option<Box<Lenders>>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    key: Key,
    urgency: Urgency,
}

impl Waiters {
    /// With nobody in it.
    pub(super) fn new(inherited: bool) -> Waiters {
        let lenders = inherited.then(Box::default);
        Waiters { places: VecDeque::new(), len: 0, last: 0, lenders }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts a process at the end. Returns its place.
    pub(super) fn push(&mut self, key: Key, urgency: Urgency) -> u64 {
        self.last += 1;
        self.places.push_back((self.last, Some(Waiter { key, urgency })));
        self.len += 1;
        if let Some(lenders) = &mut self.lenders {
            lenders.add(&urgency);
        }
        self.last
    }

    /// Takes the first one, with its place.
    pub(super) fn pop(&mut self) -> Option<(u64, Key)> {
        while let Some((place, waiter)) = self.places.pop_front() {
            if let Some(waiter) = waiter {
                self.left(&waiter);
                return Some((place, waiter.key));
            }
        }
        None
    }

    /// Takes out who has this place. Returns whether somebody had.
    pub(super) fn remove(&mut self, place: u64) -> bool {
        let Some(waiter) = self.at(place).and_then(Option::take) else { return false };
        self.left(&waiter);
        // So that those who left are never more than those who wait.
        if self.places.len() > 2 * self.len {
            self.places.retain(|(_, waiter)| waiter.is_some());
        }
        true
    }

    /// Notes how urgent the one who has this place is now.
    pub(super) fn change(&mut self, place: u64, urgency: Urgency) {
        let Some(Some(waiter)) = self.at(place) else { return };
        let old = std::mem::replace(&mut waiter.urgency, urgency);
        if let Some(lenders) = &mut self.lenders {
            lenders.remove(&old);
            lenders.add(&urgency);
        }
    }

    /// The most urgent of all, if somebody inherits it.
    pub(super) fn lent(&self) -> Option<Urgency> {
        self.lenders.as_ref().map(|lenders| lenders.most())
    }

    /// All who stand in it, with their places.
    #[cfg(feature = "invariants")]
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, Key)> {
        self.places.iter().filter_map(|(place, waiter)| Some((*place, waiter.as_ref()?.key)))
    }

    fn at(&mut self, place: u64) -> Option<&mut Option<Waiter>> {
        let at = self.places.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&mut self.places[at].1)
    }

    fn left(&mut self, waiter: &Waiter) {
        self.len -= 1;
        if let Some(lenders) = &mut self.lenders {
            lenders.remove(&waiter.urgency);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use hothouse_abi::{Pid, Scheduling};

    use super::*;
    use crate::policy::{Task, TaskId};

    #[test]
    fn those_who_leave_are_passed_over_and_forgotten() {
        let nice = |nice| {
            let scheduling = Scheduling { nice, ..Scheduling::default() };
            Urgency::of(&Task::with(TaskId(0), Pid::new(1), Rc::new(scheduling)))
        };
        let mut waiters = Waiters::new(true);
        let first = waiters.push(7, nice(0));
        let urgent = waiters.push(8, nice(-5));
        for _ in 0..100 {
            let place = waiters.push(9, nice(3));
            assert!(waiters.remove(place));
            assert!(!waiters.remove(place));
        }
        assert!(waiters.places.len() <= 4);
        assert_eq!((waiters.len(), waiters.lent()), (2, Some(nice(-5))));
        waiters.change(urgent, nice(1));
        assert_eq!(waiters.lent(), Some(nice(0)));
        assert!(waiters.remove(first));
        assert_eq!(waiters.pop(), Some((urgent, 8)));
        assert_eq!((waiters.pop(), waiters.lent()), (None, Some(Urgency::LEAST)));
    }
}
