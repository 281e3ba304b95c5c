//! Events in order of arrival, some of which may have been taken from the middle.

use std::collections::VecDeque;
use std::mem::forget;

use hothouse_abi::Event;

/// So many holes are always allowed.
const FEW: usize = 64;

/// Events by position. Positions rise with each arrival; one that was given up is given again only
/// if nobody can have seen it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    // invariant: the first slot is no hole.
    slots: VecDeque<Option<Event>>,
    /// The position of the first slot.
    first: u64,
    holes: usize,
}

impl Queue {
    /// These events, oldest first.
    pub(super) fn of(events: VecDeque<Event>) -> Queue {
        Queue { slots: events.into_iter().map(Some).collect(), first: 0, holes: 0 }
    }

    /// The position of the oldest event, or that of the next one if there is none.
    #[inline]
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The position of the next arrival.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// How many positions there are between those two.
    pub(super) fn span(&self) -> usize {
        self.slots.len()
    }

    /// For how many events there is memory.
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// The event at a position, if it is still there.
    #[inline]
    pub(super) fn get(&self, at: u64) -> Option<&Event> {
        self.slots.get(at.checked_sub(self.first)? as usize)?.as_ref()
    }

    /// The same, to be moved out.
    #[inline]
    pub(super) fn get_mut(&mut self, at: u64) -> Option<&mut Event> {
        self.slots.get_mut(at.checked_sub(self.first)? as usize)?.as_mut()
    }

    /// The place of one more event, behind the others. Where there is no memory for it, holes are
    /// closed before more is taken, if a quarter are holes: so memory follows the events, and closing
    /// one hole moves at most three.
    #[inline(always)]
    pub(super) fn room(&mut self) -> &mut Event {
        if self.slots.len() == self.slots.capacity() && self.holes > self.slots.len() / 4 {
            self.close_holes();
        }
        self.slots.push_back(Some(Event::EMPTY));
        self.slots.back_mut().and_then(Option::as_mut).expect("it was pushed above")
    }

    /// Gives up the position of an event that was moved out. From `seen` on, the last positions are
    /// given again.
    #[inline]
    pub(super) fn remove(&mut self, at: u64, seen: u64) {
        let index = (at - self.first) as usize;
        if index == 0 {
            forget(self.slots.pop_front());
            self.first += 1;
            while self.holes > 0 && matches!(self.slots.front(), Some(None)) {
                forget(self.slots.pop_front());
                self.first += 1;
                self.holes -= 1;
            }
        } else if index + 1 == self.slots.len() && at >= seen {
            forget(self.slots.pop_back());
            while self.holes > 0 && self.end() > seen && matches!(self.slots.back(), Some(None)) {
                forget(self.slots.pop_back());
                self.holes -= 1;
            }
        } else {
            self.open_hole(index);
        }
    }

    fn open_hole(&mut self, index: usize) {
        forget(self.slots[index].take());
        self.holes += 1;
        if self.holes > self.slots.len() / 4 * 3 + FEW {
            self.close_holes();
            self.slots.shrink_to(2 * self.slots.len());
        }
    }

    /// Closes the holes. All events get new positions, behind all that were given before.
    #[cold]
    fn close_holes(&mut self) {
        self.first = self.end();
        self.slots.retain(Option::is_some);
        self.holes = 0;
    }

    /// The positions of the events from `from` on, oldest first.
    pub(super) fn positions(&self, from: u64) -> impl Iterator<Item = u64> {
        (from.max(self.first)..self.end()).filter(|&at| self.get(at).is_some())
    }

    /// The events, oldest first.
    #[cfg(any(test, feature = "invariants"))]
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.slots.iter().flatten()
    }

    /// Takes all events, oldest first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Event> {
        std::mem::take(&mut self.slots).into_iter().flatten()
    }
}
