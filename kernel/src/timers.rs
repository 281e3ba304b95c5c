//! A timer queue in which arming, cancelling and expiring cost O(1) amortised, exact to the
//! nanosecond over the whole range of [`Tick`].
//!
//! Source: Varghese and Lauck 1987, "Hashed and hierarchical timing wheels", scheme 7.
//!
//! Eleven wheels of 64 slots each stand for the eleven base-64 digits of a deadline. An entry lies
//! in the wheel of the highest digit in which its deadline differs from the wheel's base, in the
//! slot of that digit's value. So a slot of wheel 0 is one nanosecond, an earlier wheel's entries
//! are all due before a later wheel's, and within a wheel slots are due in order. When the base
//! reaches a slot, its entries move to earlier wheels, each entry at most ten times in its life.
//! Entries that are due move on to one list for each [`Class`].

use std::num::NonZeroU32;

use hothouse_abi::Tick;

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const WHEELS: usize = u64::BITS.div_ceil(BITS) as usize;
/// The lists behind the wheels' slots, one a class.
const DUE: usize = WHEELS * SLOTS;
const LISTS: usize = DUE + Class::ALL.len();
/// Of no more entries that go to earlier wheels together, each counts as due soon.
const FEW: usize = 16;
/// No entry: the end of a list.
const NONE: u32 = u32::MAX;

/// What a deadline is for. Entries due at the same instant expire in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Class {
    /// A CPU's burst, slice or cost ends.
    Cpu,
    /// An event is delivered.
    Event,
    /// A signal is delivered.
    Signal,
    /// A timer or an alarm fires.
    Timer,
    /// Something arrives from outside.
    Arrival,
    /// A wait times out.
    Timeout,
}

impl Class {
    const ALL: [Class; 6] =
        [Class::Cpu, Class::Event, Class::Signal, Class::Timer, Class::Arrival, Class::Timeout];
}

/// An armed entry. It is good until the entry is cancelled or popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    index: u32,
    // Never zero, so that an optional key takes no more than a key.
    generation: NonZeroU32,
}

#[derive(Debug)]
struct Entry<T> {
    at: Tick,
    class: Class,
    list: u16,
    prev: u32,
    next: u32,
    /// Raised when the entry is freed, so that an old key is noticed.
    generation: NonZeroU32,
    /// `None` while the entry is free.
    payload: Option<T>,
}

#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

/// Deadlines with payloads, expiring in order of (deadline, class, arming).
///
/// Its memory is bounded by the most entries that were armed at once: a cancelled entry is reused by
/// the next.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    entries: Vec<Entry<T>>,
    /// The first free entry; the others follow by `next`.
    free: u32,
    len: usize,
    /// The time that `pop_due` reached; no entry is armed before it.
    reached: u64,
    /// At least the time reached, and at most the deadline of every entry in a wheel.
    base: u64,
    /// Which wheels have entries, and which of their slots.
    wheels: u16,
    /// Which classes have entries that are due.
    due: u8,
    slots: [u64; WHEELS],
    lists: Box<[List; LISTS]>,
    /// Some that are due soon: see [`Timers::next_soon`].
    soon: Vec<u32>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers::new()
    }
}

impl<T> Timers<T> {
    /// With nothing armed, at boot.
    pub(crate) fn new() -> Self {
        Timers {
            entries: Vec::new(),
            free: NONE,
            len: 0,
            reached: 0,
            base: 0,
            wheels: 0,
            due: 0,
            slots: [0; WHEELS],
            lists: Box::new([List { head: NONE, tail: NONE }; LISTS]),
            soon: Vec::new(),
        }
    }

    /// How many entries are armed.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All armed entries, in no order.
    #[cfg(feature = "invariants")]
    pub(crate) fn armed(&self) -> impl Iterator<Item = (Tick, Class, &T)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((entry.at, entry.class, entry.payload.as_ref()?)))
    }

    /// Arms an entry.
    ///
    /// # Panics
    ///
    /// If `at` lies before the time that [`pop_due`](Self::pop_due) reached, or with 2^32 - 1
    /// entries.
    pub(crate) fn arm(&mut self, at: Tick, class: Class, payload: T) -> TimerKey {
        assert!(at.nanos() >= self.reached, "nothing is armed for the past: {at} is over");
        if at.nanos() < self.base {
            self.rewind();
        }
        let index = self.claim(at, class, payload);
        let list = self.place(at);
        self.append(list, index);
        self.len += 1;
        TimerKey { index, generation: self.entries[index as usize].generation }
    }

    /// Takes an armed entry back.
    ///
    /// # Panics
    ///
    /// If it was popped or cancelled.
    pub(crate) fn cancel(&mut self, key: TimerKey) {
        self.check(key);
        self.unlink(key.index);
        self.free(key.index).payload = None;
    }

    /// When an armed entry is due.
    ///
    /// # Panics
    ///
    /// If it was popped or cancelled.
    pub(crate) fn deadline(&self, key: TimerKey) -> Tick {
        self.check(key);
        self.entries[key.index as usize].at
    }

    /// Gives back the memory of free entries at the end.
    pub(crate) fn trim(&mut self) {
        while self.entries.last().is_some_and(|entry| entry.payload.is_none()) {
            self.entries.pop();
        }
        self.entries.shrink_to_fit();
        self.free = NONE;
        for (index, entry) in self.entries.iter_mut().enumerate().rev() {
            if entry.payload.is_none() {
                entry.next = std::mem::replace(&mut self.free, index as u32);
            }
        }
    }

    /// The earliest deadline, if it is at most `limit`.
    ///
    /// An entry may still be armed before it. That costs O(1) again only once the time reached is
    /// that deadline, or `limit` if there is none: until then, O(entries due soon).
    pub(crate) fn next_at(&mut self, limit: Tick) -> Option<Tick> {
        // Entries that are due were due before those in the wheels.
        if let Some(at) = self.first_due(Class::Timeout).map(|(at, _)| at) {
            return (at <= limit).then_some(at);
        }
        while let Some((start, list)) = self.first_slot() {
            if start > limit.nanos() {
                return None;
            }
            if list < SLOTS {
                return Some(Tick::from_nanos(start));
            }
            if let Some(index) = self.only(list) {
                let at = self.entries[index as usize].at;
                return (at <= limit).then_some(at);
            }
            self.cascade(start, list);
        }
        None
    }

    /// Whether some came so near that it is worth to fetch ahead what they are for.
    #[inline(always)]
    pub(crate) fn are_some_soon(&self) -> bool {
        !self.soon.is_empty()
    }

    /// One of these, each once. A hint: it may have been cancelled meanwhile.
    pub(crate) fn next_soon(&mut self) -> Option<&T> {
        let index = self.soon.pop()?;
        self.entries.get(index as usize)?.payload.as_ref()
    }

    /// Takes the next entry, in order of (deadline, class, arming), among those with a deadline of
    /// at most `now` and a class of at most `upto`. An entry armed for `now` meanwhile has its place
    /// in that order.
    ///
    /// The time counts as reached up to `now`: nothing may be armed before it any more.
    pub(crate) fn pop_due(&mut self, now: Tick, upto: Class) -> Option<(Class, T)> {
        // Nothing in a wheel is due before the base.
        if self.base < now.nanos() || self.wheels & 1 != 0 {
            self.expire(now);
        }
        let (_, class) = self.first_due(upto)?;
        let index = self.lists[DUE + class as usize].head;
        self.unlink(index);
        let payload = self.free(index).payload.take();
        Some((class, payload.expect("an armed entry has its payload")))
    }

    /// Moves every entry with a deadline of at most `now` to the lists of those that are due.
    fn expire(&mut self, now: Tick) {
        while let Some((start, list)) = self.first_slot()
            && start <= now.nanos()
        {
            // The only entry of a slot need not go from wheel to wheel: a sixth of a job under `edf`.
            let only = self.only(list).filter(|&index| self.entries[index as usize].at <= now);
            if list >= SLOTS && only.is_none() {
                self.cascade(start, list);
                continue;
            }
            self.base = start;
            let mut index = self.take_list(list);
            while index != NONE {
                let Entry { next, class, .. } = self.entries[index as usize];
                self.append(DUE + class as usize, index);
                index = next;
            }
        }
        self.reached = self.reached.max(now.nanos());
        self.base = self.base.max(self.reached);
    }

    /// The deadline and class of the first entry that is due, of a class of at most `upto`.
    fn first_due(&self, upto: Class) -> Option<(Tick, Class)> {
        let mut classes = self.due & (u8::MAX >> (7 - upto as u32));
        let mut first = None;
        while classes != 0 {
            let class = Class::ALL[classes.trailing_zeros() as usize];
            classes &= classes - 1;
            let head = self.lists[DUE + class as usize].head;
            let due = (self.entries[head as usize].at, class);
            first = Some(first.map_or(due, |first: (Tick, Class)| first.min(due)));
        }
        first
    }

    /// The first instant of the earliest slot that has entries, and its list.
    fn first_slot(&self) -> Option<(u64, usize)> {
        if self.wheels == 0 {
            return None;
        }
        let wheel = self.wheels.trailing_zeros();
        let slot = u64::from(self.slots[wheel as usize].trailing_zeros());
        let shift = wheel * BITS;
        // The highest wheel has no digits above its own.
        let above = u64::MAX.checked_shl(shift + BITS).unwrap_or(0);
        let start = (self.base & above) | (slot << shift);
        Some((start, wheel as usize * SLOTS + slot as usize))
    }

    /// The list where an entry with this deadline lies.
    fn place(&self, at: Tick) -> usize {
        let differing = u64::BITS - ((at.nanos() ^ self.base) | 1).leading_zeros() - 1;
        let wheel = differing / BITS;
        let slot = (at.nanos() >> (wheel * BITS)) as usize % SLOTS;
        wheel as usize * SLOTS + slot
    }

    /// The entry of a list, if it has just one.
    fn only(&self, list: usize) -> Option<u32> {
        let List { head, tail } = self.lists[list];
        (head == tail).then_some(head)
    }

    /// Moves the base to the start of the earliest slot, in a wheel after the first, and its entries
    /// to the wheels before.
    fn cascade(&mut self, start: u64, list: usize) {
        self.base = start;
        // First armed stays first: the entries go in order, and the lists that they go to are empty.
        let mut index = self.take_list(list);
        self.soon.clear();
        while index != NONE {
            let Entry { next, at, .. } = self.entries[index as usize];
            let list = self.place(at);
            self.append(list, index);
            if self.soon.len() <= FEW {
                self.soon.push(index);
            }
            index = next;
        }
        if self.soon.len() > FEW {
            self.soon.clear();
        }
    }

    /// Moves the base back to the time reached. The entries that agree with the old base down to the
    /// highest digit that changes lie in the wheels below that digit's; they now belong to one slot
    /// of that wheel, which is empty.
    fn rewind(&mut self) {
        let old = std::mem::replace(&mut self.base, self.reached);
        let slot = self.place(Tick::from_nanos(old));
        let below = (1u16 << (slot / SLOTS)) - 1;
        while self.wheels & below != 0 {
            let wheel = self.wheels.trailing_zeros() as usize;
            let list = wheel * SLOTS + self.slots[wheel].trailing_zeros() as usize;
            let mut index = self.take_list(list);
            while index != NONE {
                let Entry { next, .. } = self.entries[index as usize];
                self.append(slot, index);
                index = next;
            }
        }
    }

    /// Empties a list and returns its first entry.
    fn take_list(&mut self, list: usize) -> u32 {
        let head = self.lists[list].head;
        self.lists[list] = List { head: NONE, tail: NONE };
        self.mark_empty(list);
        head
    }

    fn append(&mut self, list: usize, index: u32) {
        let List { head, tail } = &mut self.lists[list];
        let entry = &mut self.entries[index as usize];
        entry.list = list as u16;
        entry.prev = *tail;
        entry.next = NONE;
        let last = std::mem::replace(tail, index);
        if last != NONE {
            self.entries[last as usize].next = index;
            return;
        }
        *head = index;
        if list < DUE {
            self.slots[list / SLOTS] |= 1 << (list % SLOTS);
            self.wheels |= 1 << (list / SLOTS);
        } else {
            self.due |= 1 << (list - DUE);
        }
    }

    fn unlink(&mut self, index: u32) {
        let Entry { list, prev, next, .. } = self.entries[index as usize];
        let list = list as usize;
        match prev {
            NONE => self.lists[list].head = next,
            prev => self.entries[prev as usize].next = next,
        }
        match next {
            NONE => self.lists[list].tail = prev,
            next => self.entries[next as usize].prev = prev,
        }
        if self.lists[list].head == NONE {
            self.mark_empty(list);
        }
    }

    fn mark_empty(&mut self, list: usize) {
        if list < DUE {
            let slots = &mut self.slots[list / SLOTS];
            *slots &= !(1 << (list % SLOTS));
            if *slots == 0 {
                self.wheels &= !(1 << (list / SLOTS));
            }
        } else {
            self.due &= !(1 << (list - DUE));
        }
    }

    fn claim(&mut self, at: Tick, class: Class, payload: T) -> u32 {
        if self.free == NONE {
            let index = u32::try_from(self.entries.len()).unwrap_or(NONE);
            assert!(index != NONE, "at most 2^32 - 1 entries are armed at once");
            let payload = Some(payload);
            self.entries.push(Entry {
                at,
                class,
                list: 0,
                prev: NONE,
                next: NONE,
                generation: NonZeroU32::MIN,
                payload,
            });
            return index;
        }
        let index = self.free;
        let entry = &mut self.entries[index as usize];
        self.free = entry.next;
        entry.at = at;
        entry.class = class;
        entry.payload = Some(payload);
        index
    }

    /// Frees an entry that is in no list. Its payload is the caller's to take.
    fn free(&mut self, index: u32) -> &mut Entry<T> {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        entry.next = std::mem::replace(&mut self.free, index);
        self.len -= 1;
        entry
    }

    fn check(&self, key: TimerKey) {
        let entry = &self.entries[key.index as usize];
        let armed = entry.generation == key.generation && entry.payload.is_some();
        assert!(armed, "a key is used once: {key:?} was popped or cancelled");
    }
}

#[cfg(test)]
mod tests;
