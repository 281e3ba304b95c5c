//! An index of a queue by one kind of key.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use hothouse_abi::{Event, EventKind, Name, Pid};
use rustc_hash::FxHasher;

use super::queue::Queue;

/// No event.
const NONE: u32 = u32::MAX;
/// So many positions that are gone may always be kept.
const FEW: usize = 64;

/// What a receive may ask for that an index is kept by.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    Name,
    Sender,
    Both,
}

/// What the events of a chain have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub(super) sent: bool,
    pub(super) sender: Option<Pid>,
    pub(super) name: Option<&'a Name>,
}

impl<'a> Key<'a> {
    /// The key of an event, if it can be asked for so: only sent events have senders.
    #[inline]
    fn of(event: &'a Event, by: By) -> Option<Key<'a>> {
        let sent = event.kind == EventKind::Sent;
        let (sender, name) = (Some(event.sender), Some(&event.name));
        match by {
            By::Name => Some(Key { sent, sender: None, name }),
            By::Sender => sent.then_some(Key { sent, sender, name: None }),
            By::Both => sent.then_some(Key { sent, sender, name }),
        }
    }

    #[inline]
    pub(super) fn fits(&self, event: &Event) -> bool {
        self.sent == (event.kind == EventKind::Sent)
            && self.sender.is_none_or(|sender| event.sender == sender)
            && self.name.is_none_or(|name| event.name == *name)
    }

    #[inline]
    fn hash(&self) -> u64 {
        let mut hasher = FxHasher::default();
        hasher.write_u64(self.sender.map_or(0, Pid::number) << 1 | u64::from(self.sent));
        if let Some(name) = self.name {
            name.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The events of a queue by key, up to a position: in chains of those that have one in common,
/// oldest first. What lies behind is indexed as a look passes it, so that an event that is taken
/// before never is.
///
/// All is amortised O(1). An event is passed and indexed once. When it is taken nothing is done
/// here: a look for its key steps over it, once. What is kept of events that are gone is forgotten
/// before there is more of that than of the queue.
#[derive(Debug)]
pub(super) struct Chains {
    by: By,
    /// The position from which events are indexed.
    start: u64,
    /// For each position from there, the next one in its chain, counted from `start`.
    next: Vec<u32>,
    /// Found by their key, which is that of their oldest event.
    chains: HashTable<Chain>,
}

#[derive(Debug)]
struct Chain {
    hash: u64,
    /// Its first event that is not known to be gone.
    head: Cell<u32>,
    tail: u32,
}

impl Chains {
    pub(super) fn new(by: By) -> Chains {
        Chains { by, start: 0, next: Vec::new(), chains: HashTable::new() }
    }

    /// The position up to which events are indexed.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.start + self.next.len() as u64
    }

    /// For how many events there is memory.
    pub(super) fn capacity(&self) -> usize {
        self.next.capacity().max(self.chains.capacity())
    }

    /// The position of the oldest event that fits. It is to be taken, or looked for again first.
    #[inline]
    pub(super) fn oldest(&mut self, queue: &Queue, key: Key<'_>) -> Option<u64> {
        self.indexed(queue, key).or_else(|| self.pass(queue, queue.end(), |event| key.fits(event)))
    }

    /// The position of the oldest event that fits, of those that are indexed.
    #[inline]
    pub(super) fn indexed(&mut self, queue: &Queue, key: Key<'_>) -> Option<u64> {
        self.renew(queue);
        let hash = key.hash();
        let found = self.chains.find(hash, |chain| self.is_of(chain, queue, key, hash));
        found.map(|chain| self.start + u64::from(chain.head.get()))
    }

    /// Indexes events up to the first that is `wanted`, whose position is the answer, or to `end`.
    #[inline]
    pub(super) fn pass(
        &mut self,
        queue: &Queue,
        end: u64,
        wanted: impl Fn(&Event) -> bool,
    ) -> Option<u64> {
        while self.end() < end {
            match queue.get(self.end()) {
                Some(event) if wanted(event) => return Some(self.end()),
                event => self.add(queue, event.and_then(|event| Key::of(event, self.by))),
            }
        }
        None
    }

    /// Indexes one event, or passes one that has no key.
    fn add(&mut self, queue: &Queue, key: Option<Key<'_>>) {
        let at = self.next.len() as u32;
        assert!(self.next.len() < NONE as usize, "fewer than 2^32 - 1 positions are indexed");
        self.next.push(NONE);
        let Some(key) = key else { return };
        let hash = key.hash();
        let Chains { start, next, chains, .. } = self;
        let is_of = |chain: &Chain| is_of(chain, queue, *start, next, key, hash);
        if let Some(chain) = chains.find_mut(hash, is_of) {
            next[chain.tail as usize] = at;
            chain.tail = at;
            return;
        }
        // A chain that ran out, most likely of the same key: names come back.
        let is_empty = |chain: &Chain| chain.hash == hash && chain.head.get() == NONE;
        if let Some(chain) = chains.find_mut(hash, is_empty) {
            (chain.head, chain.tail) = (at.into(), at);
            return;
        }
        let chain = Chain { hash, head: at.into(), tail: at };
        chains.insert_unique(hash, chain, |chain| chain.hash);
    }

    #[inline]
    fn is_of(&self, chain: &Chain, queue: &Queue, key: Key<'_>, hash: u64) -> bool {
        is_of(chain, queue, self.start, &self.next, key, hash)
    }

    /// Forgets all if there is too much of what is gone.
    #[inline]
    fn renew(&mut self, queue: &Queue) {
        let gone = queue.first().saturating_sub(self.start) as usize;
        if gone > 0 && (gone >= self.next.len() || gone > queue.span() + FEW) {
            self.forget();
            self.start = queue.first();
        }
    }

    fn forget(&mut self) {
        // Clearing a table takes as long as it is large, which its last chains must pay for.
        if self.chains.capacity() / 8 > self.chains.len() {
            self.chains = HashTable::new();
            self.next = Vec::new();
        }
        self.chains.clear();
        self.next.clear();
    }
}

/// Whether a chain has this key, and an event. Those at its head that are gone are dropped from it.
#[inline]
fn is_of(chain: &Chain, queue: &Queue, start: u64, next: &[u32], key: Key<'_>, hash: u64) -> bool {
    if chain.hash != hash {
        return false;
    }
    loop {
        let head = chain.head.get();
        if head == NONE {
            return false;
        }
        if let Some(event) = queue.get(start + u64::from(head)) {
            return key.fits(event);
        }
        chain.head.set(next[head as usize]);
    }
}
