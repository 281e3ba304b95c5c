//! The queue of events of a process: selective receive that loses nothing, in O(1) whatever the
//! depth and the filter.
//!
//! A mailbox is a ring, whose first [`SCANNED`] events are looked at, as long as each receive finds
//! its event among them: a server that takes what comes never needs more, however many wait. The
//! first receive that would have to look further makes it deep: from then on there is an index for
//! each kind of filter in use, filled no further than a receive has looked.

mod chains;
mod deep;
mod queue;

use std::collections::VecDeque;
use std::mem::forget;

use hothouse_abi::{Event, EventKind, Filter, Name, Pid, Token, Value};

use crate::memory::prefetch;
use deep::Deep;
use queue::Queue;

/// The most events that are scanned.
const SCANNED: usize = 8;
/// A mailbox with as few events gives back what it has room for beyond `KEPT`.
const NEARLY_EMPTY: usize = 8;
/// The most events for which a mailbox that is empty, or nearly so, keeps its memory.
const KEPT: usize = 1024;
/// How many turns ahead an event is fetched into the cache, where many are taken in order.
const AHEAD: usize = 6;
/// The name by which Phoenix programs see sent events.
const REMOTE_EVENT: Name = Name::short("remote_event");

/// Events in order of arrival. One in which no event was ever queued, as most processes have, is a
/// word.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Option<Box<Contents>>);

/// What is in a mailbox.
#[derive(Debug, Default)]
struct Contents {
    store: Store,
    bytes: usize,
    len: u32,
    peak: u32,
}

#[derive(Debug)]
enum Store {
    Ring(VecDeque<Event>),
    Deep(Box<Deep>),
}

impl Default for Store {
    fn default() -> Self {
        Store::Ring(VecDeque::new())
    }
}

impl Mailbox {
    /// An empty mailbox, without an allocation.
    pub(crate) fn new() -> Mailbox {
        Mailbox::default()
    }

    /// Whether no event is queued.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events are queued.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |contents| contents.len as usize)
    }

    /// The sum of the queued events' [`Event::size`].
    #[inline(always)]
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |contents| contents.bytes)
    }

    /// The most events that were ever queued.
    pub(crate) fn peak(&self) -> u32 {
        self.0.as_ref().map_or(0, |contents| contents.peak)
    }

    /// Adds an event behind the others.
    ///
    /// # Panics
    ///
    /// With 2^32 - 1 events.
    pub(crate) fn push(&mut self, mut event: Event) {
        event.move_to(self.0.get_or_insert_default().room(event.size()));
    }

    /// Adds a sent event, made in its place from what is moved there: a copy as a whole would wait
    /// until its parts have left the store buffer.
    #[inline(never)]
    pub(crate) fn push_sent(
        &mut self,
        sender: Pid,
        name: &mut Name,
        data: &mut Value,
        token: Option<Token>,
    ) {
        let event = self.0.get_or_insert_default().room(Event::size_of(name, data));
        event.sender = sender;
        forget(std::mem::replace(&mut event.name, std::mem::take(name)));
        forget(std::mem::replace(&mut event.data, std::mem::take(data)));
        event.token = token;
        event.kind = EventKind::Sent;
    }

    /// All events, oldest first.
    #[cfg(any(test, feature = "invariants"))]
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter().flat_map(|contents| contents.store.events())
    }

    /// The oldest event of any kind.
    pub(crate) fn peek(&self) -> Option<&Event> {
        match &self.0.as_ref()?.store {
            Store::Ring(events) => events.front(),
            Store::Deep(deep) => deep.queue.get(deep.queue.first()),
        }
    }

    /// Moves the oldest sent event that matches to a place, if there is one.
    #[inline(never)]
    pub(crate) fn move_sent(&mut self, filter: &Filter, place: &mut Event) -> bool {
        let Some(contents) = &mut self.0 else { return false };
        let found = contents.find(|event| filter.matches(event), |deep| deep.first_sent(filter));
        found.inspect(|&at| contents.move_at(at, place)).is_some()
    }

    /// Takes the oldest sent event that matches.
    pub(crate) fn take_sent(&mut self, filter: &Filter) -> Option<Event> {
        self.take(|event| filter.matches(event), |deep| deep.first_sent(filter))
    }

    /// Takes the oldest event of any kind.
    #[inline]
    pub(crate) fn take_next(&mut self) -> Option<Event> {
        self.take(|_| true, |deep| deep.first())
    }

    /// Takes the oldest event, of any kind, with one of these names. If `remote`, a sent event goes
    /// by the name `remote_event` instead of its own.
    pub(crate) fn take_named(&mut self, names: &[Name], remote: bool) -> Option<Event> {
        let matches = |event: &Event| match event.kind {
            EventKind::Sent if remote => names.contains(&REMOTE_EVENT),
            _ => names.contains(&event.name),
        };
        self.take(matches, |deep| deep.first_named(names, remote))
    }

    /// Takes the oldest event for which `matches` holds, in O(depth).
    pub(crate) fn take_where(&mut self, matches: impl FnMut(&Event) -> bool) -> Option<Event> {
        let contents = self.0.as_mut()?;
        let found = match &contents.store {
            Store::Ring(events) => events.iter().position(matches).map(|at| at as u64),
            Store::Deep(deep) => deep.first_where(matches),
        };
        found.map(|at| contents.take_at(at))
    }

    /// Takes the oldest that `matches` if a scan finds it, else the one that `look` finds by an
    /// index.
    #[inline(always)]
    fn take(
        &mut self,
        matches: impl FnMut(&Event) -> bool,
        look: impl FnOnce(&mut Deep) -> Option<u64>,
    ) -> Option<Event> {
        let contents = self.0.as_mut()?;
        let found = contents.find(matches, look);
        found.map(|at| contents.take_at(at))
    }
}

impl Contents {
    /// The place of one more event of this size.
    #[inline(always)]
    fn room(&mut self, size: usize) -> &mut Event {
        self.bytes += size;
        self.len = self.len.checked_add(1).expect("at most 2^32 - 1 events are queued");
        self.peak = self.peak.max(self.len);
        match &mut self.store {
            Store::Ring(events) => {
                events.push_back(Event::EMPTY);
                events.back_mut().expect("it was pushed above")
            }
            Store::Deep(deep) => deep.queue.room(),
        }
    }

    /// Where an event is: the oldest that `matches` if a scan finds it, else the one that `look`
    /// finds by an index.
    #[inline(always)]
    fn find(
        &mut self,
        mut matches: impl FnMut(&Event) -> bool,
        look: impl FnOnce(&mut Deep) -> Option<u64>,
    ) -> Option<u64> {
        if let Store::Ring(events) = &self.store {
            if matches(events.front()?) {
                return Some(0);
            }
            let found = events.iter().take(SCANNED).skip(1).position(matches);
            if found.is_some() || events.len() <= SCANNED {
                return found.map(|at| 1 + at as u64);
            }
        }
        look(self.store.deep())
    }

    /// Takes the event that is there.
    #[inline]
    fn take_at(&mut self, at: u64) -> Event {
        let mut event = Event::EMPTY;
        self.move_at(at, &mut event);
        event
    }

    /// Moves the event that is there to a place.
    #[inline(always)]
    fn move_at(&mut self, at: u64, place: &mut Event) {
        let event = match &mut self.store {
            Store::Ring(events) => events.get_mut(at as usize),
            Store::Deep(deep) => deep.queue.get_mut(at),
        };
        let event = event.expect("it was found there");
        self.bytes -= event.size();
        self.len -= 1;
        event.move_to(place);
        match &mut self.store {
            Store::Ring(events) if at == 0 => {
                forget(events.pop_front());
                if let Some(event) = events.get(AHEAD) {
                    prefetch(event, 0..2);
                }
            }
            Store::Ring(events) => forget(events.remove(at as usize)),
            Store::Deep(deep) => deep.remove(at),
        }
        if self.len as usize <= NEARLY_EMPTY {
            self.store.give_back();
        }
    }
}

impl Store {
    /// The events, oldest first.
    #[cfg(any(test, feature = "invariants"))]
    fn events(&self) -> impl Iterator<Item = &Event> {
        let (ring, deep) = match self {
            Store::Ring(events) => (Some(events.iter()), None),
            Store::Deep(deep) => (None, Some(deep.queue.events())),
        };
        ring.into_iter().flatten().chain(deep.into_iter().flatten())
    }

    /// The deep form.
    #[inline(always)]
    fn deep(&mut self) -> &mut Deep {
        if let Store::Ring(events) = self {
            let events = std::mem::take(events);
            self.deepen(events);
        }
        let Store::Deep(deep) = self else { unreachable!("it was made so above") };
        deep
    }

    #[cold]
    fn deepen(&mut self, events: VecDeque<Event>) {
        *self = Store::Deep(Box::new(Deep::new(Queue::of(events))));
    }

    /// With few events: gives back the memory of many.
    #[inline]
    fn give_back(&mut self) {
        match self {
            Store::Ring(events) if events.capacity() > KEPT && events.is_empty() => {
                *events = VecDeque::new();
            }
            Store::Deep(deep) if deep.capacity() > KEPT => {
                *self = Store::Ring(deep.queue.drain().collect());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
