//! The queue of events of a process: selective receive that loses nothing, in O(1) whatever the
//! depth and the filter.
//!
//! A mailbox is a ring, whose first [`SCANNED`] events are looked at, as long as each receive finds
//! its event among them: a server that takes what comes never needs more, however many wait. The
//! first receive that would have to look further makes it indexed: each event is then in up to five
//! linked lists, by arrival and by what it may be asked for, so that the oldest event for any filter
//! heads a list. When few are left, it is a ring again.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use hothouse_abi::{Event, EventKind, Filter, Name, Pid};
use rustc_hash::FxHasher;
use slab::Slab;

/// The most events that are scanned.
const SCANNED: usize = 32;
/// An indexed mailbox with as few events becomes a ring. Well below `SCANNED`, so that a mailbox that
/// hovers there isn't rebuilt with each event.
const NEARLY_EMPTY: usize = 8;
/// The most events for which an empty ring keeps its memory.
const KEPT: usize = 1024;
/// The name by which Phoenix programs see sent events.
const REMOTE_EVENT: Name = Name::short("remote_event");
/// No event, or no list.
const NONE: u32 = u32::MAX;

/// Events in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    store: Store,
    bytes: usize,
    peak: u32,
}

const _: () = assert!(size_of::<Mailbox>() <= 48);

#[derive(Debug)]
enum Store {
    Ring(VecDeque<Event>),
    Indexed(Box<Deep>),
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
        match &self.store {
            Store::Ring(events) => events.is_empty(),
            Store::Indexed(_) => false,
        }
    }

    /// How many events are queued.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match &self.store {
            Store::Ring(events) => events.len(),
            Store::Indexed(deep) => deep.nodes.len(),
        }
    }

    /// The sum of the queued events' [`Event::size`].
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most events that were ever queued.
    pub(crate) fn peak(&self) -> u32 {
        self.peak
    }

    /// Adds an event behind the others.
    ///
    /// # Panics
    ///
    /// With 2^32 - 1 events.
    #[inline]
    pub(crate) fn push(&mut self, event: Event) {
        self.bytes += event.size();
        let len = match &mut self.store {
            Store::Ring(events) => {
                assert!(events.len() < NONE as usize, "at most 2^32 - 1 events are queued");
                events.push_back(event);
                events.len()
            }
            Store::Indexed(deep) => {
                deep.push(event);
                deep.nodes.len()
            }
        };
        self.peak = self.peak.max(len as u32);
    }

    /// All events, oldest first.
    #[cfg(feature = "invariants")]
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        let (ring, indexed) = match &self.store {
            Store::Ring(events) => (Some(events.iter()), None),
            Store::Indexed(deep) => (None, Some(deep.arrivals().map(|node| deep.event(node)))),
        };
        ring.into_iter().flatten().chain(indexed.into_iter().flatten())
    }

    /// The oldest event of any kind.
    pub(crate) fn peek(&self) -> Option<&Event> {
        match &self.store {
            Store::Ring(events) => events.front(),
            Store::Indexed(deep) => deep.head(Some(ARRIVED)).map(|node| deep.event(node)),
        }
    }

    /// Takes the oldest sent event that matches.
    #[inline]
    pub(crate) fn take_sent(&mut self, filter: &Filter) -> Option<Event> {
        self.take(|event| filter.matches(event), |deep| deep.first_sent(filter))
    }

    /// Takes the oldest event of any kind.
    #[inline]
    pub(crate) fn take_next(&mut self) -> Option<Event> {
        self.take(|_| true, |deep| deep.head(Some(ARRIVED)))
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
    pub(crate) fn take_where(&mut self, mut matches: impl FnMut(&Event) -> bool) -> Option<Event> {
        match &mut self.store {
            Store::Ring(events) => {
                let at = events.iter().position(matches)?;
                self.bytes -= events[at].size();
                events.remove(at)
            }
            Store::Indexed(deep) => {
                let node = deep.arrivals().find(|&node| matches(deep.event(node)));
                self.take(|_| false, |_| node)
            }
        }
    }

    /// Takes an event: the oldest that `matches` if that is found in a ring, else the one that `find`
    /// names in the index.
    #[inline]
    fn take(
        &mut self,
        mut matches: impl FnMut(&Event) -> bool,
        find: impl FnOnce(&Deep) -> Option<u32>,
    ) -> Option<Event> {
        if let Store::Ring(events) = &mut self.store {
            let front = events.front()?;
            if matches(front) {
                self.bytes -= front.size();
                let event = events.pop_front();
                if events.is_empty() && events.capacity() > KEPT {
                    *events = VecDeque::new();
                }
                return event;
            }
            let mut scanned = events.iter().take(SCANNED).skip(1);
            if let Some(at) = scanned.position(matches) {
                self.bytes -= events[1 + at].size();
                return events.remove(1 + at);
            }
            if events.len() <= SCANNED {
                return None;
            }
        }
        let deep = self.store.index();
        let node = find(deep)?;
        self.bytes -= deep.event(node).size();
        let event = deep.remove(node);
        if deep.nodes.len() <= NEARLY_EMPTY {
            self.store = Store::Ring(deep.drain().collect());
        }
        Some(event)
    }
}

impl Store {
    /// The indexed form; what is in the ring is indexed first.
    #[inline(never)]
    fn index(&mut self) -> &mut Deep {
        if let Store::Ring(events) = self {
            let mut deep = Box::new(Deep::new());
            events.drain(..).for_each(|event| deep.push(event));
            *self = Store::Indexed(deep);
        }
        let Store::Indexed(deep) = self else { unreachable!("it was indexed above") };
        deep
    }
}

/// By what a list is kept; the index of its link in a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Chain {
    /// Every event.
    Arrived,
    /// Every sent event.
    Sent,
    /// The events of one name: those that were sent, and apart from them those that were not.
    Name,
    /// The sent events of one sender.
    Sender,
    /// The sent events of one sender and name.
    Pair,
}

const CHAINS: usize = 5;

/// The two lists that are always there.
const ARRIVED: u32 = 0;
const SENT: u32 = 1;

/// What the events of a list have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key<'a> {
    chain: Chain,
    sent: bool,
    sender: Option<Pid>,
    name: Option<&'a Name>,
}

impl<'a> Key<'a> {
    fn of(event: &'a Event, chain: Chain) -> Key<'a> {
        let sent = event.kind == EventKind::Sent;
        let sender = matches!(chain, Chain::Sender | Chain::Pair).then_some(event.sender);
        let name = matches!(chain, Chain::Name | Chain::Pair).then_some(&event.name);
        Key { chain, sent, sender, name }
    }

    fn hash(&self) -> u64 {
        let mut hasher = FxHasher::default();
        Hash::hash(self, &mut hasher);
        hasher.finish()
    }
}

#[derive(Clone, Copy, Debug)]
struct Link {
    list: u32,
    prev: u32,
    next: u32,
}

#[derive(Debug)]
struct Node {
    event: Event,
    /// Rises with each arrival, to compare the heads of lists.
    sequence: u64,
    /// One a chain; those of chains that the event is not in are never read.
    links: [Link; CHAINS],
}

/// A list that is kept by a key has at least one event.
#[derive(Debug)]
struct List {
    chain: Chain,
    head: u32,
    tail: u32,
}

/// The form for many events.
#[derive(Debug)]
struct Deep {
    nodes: Slab<Node>,
    lists: Slab<List>,
    /// The lists that are kept by a key, found by it. The key is not stored: it is that of the
    /// event at the head.
    index: HashTable<u32>,
    arrived: u64,
}

impl Deep {
    fn new() -> Deep {
        let mut lists = Slab::new();
        for chain in [Chain::Arrived, Chain::Sent] {
            lists.insert(List { chain, head: NONE, tail: NONE });
        }
        Deep { nodes: Slab::new(), lists, index: HashTable::new(), arrived: 0 }
    }

    fn event(&self, node: u32) -> &Event {
        &self.nodes[node as usize].event
    }

    /// The chains that an event is in.
    fn chains(event: &Event) -> &'static [Chain] {
        match event.kind {
            EventKind::Sent => {
                &[Chain::Arrived, Chain::Sent, Chain::Name, Chain::Sender, Chain::Pair]
            }
            EventKind::Queued | EventKind::Kernel => &[Chain::Arrived, Chain::Name],
        }
    }

    fn push(&mut self, event: Event) {
        let chains = Deep::chains(&event);
        let links = [Link { list: NONE, prev: NONE, next: NONE }; CHAINS];
        let node = self.nodes.insert(Node { event, sequence: self.arrived, links });
        let node = u32::try_from(node).unwrap_or(NONE);
        assert!(node != NONE, "at most 2^32 - 1 events are queued");
        self.arrived += 1;
        for &chain in chains {
            self.append(node, chain);
        }
    }

    fn append(&mut self, node: u32, chain: Chain) {
        let list = match chain {
            Chain::Arrived => ARRIVED,
            Chain::Sent => SENT,
            _ => self.list_for(node, chain),
        };
        let List { head, tail, .. } = &mut self.lists[list as usize];
        let prev = std::mem::replace(tail, node);
        match prev {
            NONE => *head = node,
            prev => self.nodes[prev as usize].links[chain as usize].next = node,
        }
        self.nodes[node as usize].links[chain as usize] = Link { list, prev, next: NONE };
    }

    /// The list that this event belongs to, made with the event as its head if there is none.
    fn list_for(&mut self, node: u32, chain: Chain) -> u32 {
        let Deep { nodes, lists, index, .. } = self;
        let key_at_head = |list: &List| Key::of(&nodes[list.head as usize].event, list.chain);
        let key = Key::of(&nodes[node as usize].event, chain);
        let hash = key.hash();
        if let Some(&list) = index.find(hash, |&at| key_at_head(&lists[at as usize]) == key) {
            return list;
        }
        let list = lists.insert(List { chain, head: node, tail: NONE }) as u32;
        index.insert_unique(hash, list, |&at| key_at_head(&lists[at as usize]).hash());
        list
    }

    fn remove(&mut self, node: u32) -> Event {
        for &chain in Deep::chains(self.event(node)) {
            self.unlink(node, chain);
        }
        self.nodes.remove(node as usize).event
    }

    fn unlink(&mut self, node: u32, chain: Chain) {
        let Link { list, prev, next } = self.nodes[node as usize].links[chain as usize];
        if prev == NONE && next == NONE && list != ARRIVED && list != SENT {
            let hash = Key::of(self.event(node), chain).hash();
            let entry = self.index.find_entry(hash, |&at| at == list);
            entry.expect("a list that is kept by a key is in the index").remove();
            self.lists.remove(list as usize);
            return;
        }
        let ends = &mut self.lists[list as usize];
        match prev {
            NONE => ends.head = next,
            prev => self.nodes[prev as usize].links[chain as usize].next = next,
        }
        match next {
            NONE => ends.tail = prev,
            next => self.nodes[next as usize].links[chain as usize].prev = prev,
        }
    }

    /// The list with this key.
    fn find(&self, key: Key<'_>) -> Option<u32> {
        let found = self.index.find(key.hash(), |&list| {
            let List { chain, head, .. } = self.lists[list as usize];
            Key::of(self.event(head), chain) == key
        });
        found.copied()
    }

    /// The oldest event of a list.
    fn head(&self, list: Option<u32>) -> Option<u32> {
        let head = self.lists[list? as usize].head;
        (head != NONE).then_some(head)
    }

    /// The oldest sent event that matches.
    fn first_sent(&self, filter: &Filter) -> Option<u32> {
        let chain = match filter {
            Filter { sender: None, name: None } => return self.head(Some(SENT)),
            Filter { sender: None, name: Some(_) } => Chain::Name,
            Filter { sender: Some(_), name: None } => Chain::Sender,
            Filter { sender: Some(_), name: Some(_) } => Chain::Pair,
        };
        let key = Key { chain, sent: true, sender: filter.sender, name: filter.name.as_ref() };
        self.head(self.find(key))
    }

    /// The oldest event for [`Mailbox::take_named`].
    fn first_named(&self, names: &[Name], remote: bool) -> Option<u32> {
        let of_name = |name, sent| {
            let key = Key { chain: Chain::Name, sent, sender: None, name: Some(name) };
            self.head(self.find(key))
        };
        let by_name = names.iter().flat_map(|name| {
            let sent = match (remote, *name == REMOTE_EVENT) {
                (false, _) => of_name(name, true),
                (true, true) => self.head(Some(SENT)),
                (true, false) => None,
            };
            [sent, of_name(name, false)]
        });
        by_name.flatten().min_by_key(|&node| self.nodes[node as usize].sequence)
    }

    /// The events, oldest first.
    fn arrivals(&self) -> impl Iterator<Item = u32> {
        std::iter::successors(self.head(Some(ARRIVED)), |&node| {
            let next = self.nodes[node as usize].links[Chain::Arrived as usize].next;
            (next != NONE).then_some(next)
        })
    }

    /// Takes all events, oldest first, and leaves nothing that can be used.
    fn drain(&mut self) -> impl Iterator<Item = Event> {
        let mut at = self.head(Some(ARRIVED)).unwrap_or(NONE);
        std::iter::from_fn(move || {
            let node = self.nodes.try_remove(at as usize)?;
            at = node.links[Chain::Arrived as usize].next;
            Some(node.event)
        })
    }
}

#[cfg(test)]
mod tests;
