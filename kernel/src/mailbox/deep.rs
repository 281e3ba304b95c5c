//! The form of a mailbox from which events are taken that lie behind others.

use hothouse_abi::{Event, EventKind, Filter, Name};

use super::REMOTE_EVENT;
use super::chains::{By, Chains, Key};
use super::queue::Queue;

/// A queue with an index for each kind of filter, none of which is made before it is asked for.
#[derive(Debug)]
pub(super) struct Deep {
    pub(super) queue: Queue,
    /// No sent event lies before this position.
    sent: u64,
    /// No look has passed this position: neither an index nor what is kept of a look reaches beyond.
    seen: u64,
    by_name: Chains,
    by_sender: Chains,
    by_both: Chains,
    mark: Mark,
}

/// Where the last look ended: no event that this filter matches lies before.
#[derive(Debug)]
struct Mark {
    filter: Filter,
    at: u64,
}

impl Deep {
    pub(super) fn new(queue: Queue) -> Deep {
        let sent = queue.first();
        let [by_name, by_sender, by_both] = [By::Name, By::Sender, By::Both].map(Chains::new);
        let mark = Mark { filter: Filter::any(), at: 0 };
        Deep { queue, sent, seen: 0, by_name, by_sender, by_both, mark }
    }

    /// The most events that any part has memory for.
    pub(super) fn capacity(&self) -> usize {
        let Deep { queue, by_name, by_sender, by_both, .. } = self;
        let chains = [by_name, by_sender, by_both].map(Chains::capacity);
        chains.into_iter().fold(queue.capacity(), usize::max)
    }

    /// The oldest event of any kind.
    #[inline]
    pub(super) fn first(&self) -> Option<u64> {
        (self.queue.span() > 0).then_some(self.queue.first())
    }

    /// The oldest sent event that matches. Most programs ask for the same again and again: such a
    /// look goes on where the last one ended, and is over soon if what it wants comes next.
    #[inline]
    pub(super) fn first_sent(&mut self, filter: &Filter) -> Option<u64> {
        let first = self.queue.first();
        let at = if self.mark.filter == *filter { first.max(self.mark.at) } else { first };
        match self.queue.get(at) {
            Some(event) if filter.matches(event) => Some(at),
            _ => self.look(filter),
        }
    }

    /// The same by an index.
    #[inline(never)]
    fn look(&mut self, filter: &Filter) -> Option<u64> {
        let key = Key { sent: true, sender: filter.sender, name: filter.name.as_ref() };
        let by = match (key.sender, key.name) {
            (None, None) => return self.first_sent_of_any(),
            (None, Some(_)) => &mut self.by_name,
            (Some(_), None) => &mut self.by_sender,
            (Some(_), Some(_)) => &mut self.by_both,
        };
        let found = by.oldest(&self.queue, key);
        self.seen = self.seen.max(by.end());
        self.mark.at = found.unwrap_or(self.queue.end());
        if self.mark.filter != *filter {
            self.mark.filter = filter.clone();
        }
        found
    }

    fn first_sent_of_any(&mut self) -> Option<u64> {
        let is_sent = |at| self.queue.get(at).is_some_and(|event| event.kind == EventKind::Sent);
        let found = (self.sent.max(self.queue.first())..self.queue.end()).find(|&at| is_sent(at));
        self.sent = found.unwrap_or(self.queue.end());
        self.seen = self.seen.max(self.sent);
        found
    }

    /// The oldest event of these names, as [`Mailbox::take_named`](super::Mailbox::take_named)
    /// reads them.
    pub(super) fn first_named(&mut self, names: &[Name], remote: bool) -> Option<u64> {
        let any_sent = remote && names.contains(&REMOTE_EVENT);
        let sent = if any_sent { self.first_sent_of_any() } else { None };
        let end = sent.unwrap_or(self.queue.end());
        let Deep { queue, by_name, seen, .. } = self;
        let keys = names.iter().flat_map(|name| {
            let key = |sent| Key { sent, sender: None, name: Some(name) };
            [Some(key(false)), (!remote).then_some(key(true))]
        });
        let indexed = keys.flatten().filter_map(|key| by_name.indexed(queue, key)).min();
        // One that is indexed is older than all that are not.
        let named = indexed.or_else(|| {
            by_name.pass(queue, end, |event| {
                !(remote && event.kind == EventKind::Sent) && names.contains(&event.name)
            })
        });
        *seen = by_name.end().max(*seen);
        named.into_iter().chain(sent).min()
    }

    /// The oldest event for which `matches` holds, in O(depth).
    pub(super) fn first_where(&self, mut matches: impl FnMut(&Event) -> bool) -> Option<u64> {
        self.queue.positions(0).find(|&at| self.queue.get(at).is_some_and(&mut matches))
    }

    /// Gives up the position of an event that was moved out.
    #[inline]
    pub(super) fn remove(&mut self, at: u64) {
        self.queue.remove(at, self.seen);
    }
}
