// What of an arena's memory is free, only the arena knows.
#![allow(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::ptr::NonNull;

use corosensei::stack::MIN_STACK_SIZE;

use super::host_memory::{self, HostMemory, Pages, pages};

/// Bytes above a stack's base that are the process's but not its stack's: see `control.rs`. The
/// last word of the stack, which a switch reads and writes, lies in one cache line with the first
/// words of the head.
pub(super) const HEAD: usize = 256 - 16;

/// Stacks at equal offsets in their pages would share cache sets: a slot's stack begins this many
/// bytes lower than that of the slot before, modulo [`COLOURS`].
const COLOUR: usize = 192;
const COLOURS: usize = 12;

const _: () = assert!(HEAD % 64 == 48 && COLOUR.is_multiple_of(64));

/// Where the host takes many ranges in one call, free slots are made ready several at a time: one
/// for so many stacks in use, up to so many. More at once are not cheaper.
const AHEAD_SHARE: usize = 8;
const MOST_AHEAD: usize = 32;

/// The stacks of a machine's native processes.
///
/// One reservation of address space holds every slot: a guard page and above it the stack. A slot
/// takes memory from its first use on, or shortly before it, a page at a time as it is touched. Free
/// stacks are reused hottest first. They keep their memory until there are more of them than stacks
/// in use and the reserve together; then all but the reserve's give it back at once, since that
/// takes a fraction of what a call for each does.
///
/// Dropped while a stack is still out or was abandoned, the arena leaves its memory mapped: such a
/// stack was never unwound, and what lies on it may be pointed to from elsewhere.
#[derive(Debug)]
pub(crate) struct Arena {
    memory: *mut u8,
    host: HostMemory,
    // invariant: a multiple of the page, guard included.
    slot_size: usize,
    slots: u32,
    // How many slots have been used or made ready; those from here on have no guard yet.
    touched: u32,
    // Free slots that keep their memory, the hottest last.
    hot: Vec<u32>,
    // Free slots whose memory went back to the host.
    cold: Vec<u32>,
    reserve: usize,
    in_use: usize,
    abandoned: usize,
}

/// The stack of one process, out of an [`Arena`]; it goes back by [`Arena::give_back`] or
/// [`Arena::abandon`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Stack {
    base: NonZeroUsize,
    limit: NonZeroUsize,
    page: usize,
    slot: u32,
}

impl Arena {
    /// An arena for tests that don't care what free stacks keep.
    #[cfg(test)]
    pub(crate) fn new(stack_size: usize, slots: usize) -> io::Result<Arena> {
        Arena::with_reserve(stack_size, slots, 1024)
    }

    /// Reserves room for `slots` stacks of `stack_size` bytes, rounded up to whole pages and at
    /// least two. Up to `reserve` free ones keep their memory, beside as many as are in use.
    ///
    /// # Errors
    ///
    /// What the host says: `ENOMEM` if it refuses that much address space.
    ///
    /// # Panics
    ///
    /// If the host refuses the handlers for faults, or a stack for them to run on.
    pub(crate) fn with_reserve(
        stack_size: usize,
        slots: usize,
        reserve: usize,
    ) -> io::Result<Arena> {
        super::prepare();
        let no_memory = || io::Error::from_raw_os_error(libc::ENOMEM);
        let page = host_memory::page_size();
        let slots = u32::try_from(slots.max(1)).map_err(|_| no_memory())?;
        let slot_size = stack_size
            .max(2 * page)
            .checked_next_multiple_of(page)
            .and_then(|size| size.checked_add(page))
            .ok_or_else(no_memory)?;
        let length = slot_size.checked_mul(slots as usize).ok_or_else(no_memory)?;
        let memory = host_memory::reserve(length)?;
        // SAFETY: the guard of the first slot, where nothing ever lives.
        let host = unsafe { HostMemory::probe(memory) };
        let (hot, cold) = (Vec::new(), Vec::new());
        let (touched, in_use, abandoned) = (0, 0, 0);
        Ok(Arena { memory, host, slot_size, slots, touched, hot, cold, reserve, in_use, abandoned })
    }

    /// A stack, the one last given back if there is any; `None` when every slot is taken or the
    /// host allows no more guards.
    pub(crate) fn take(&mut self) -> Option<Stack> {
        let slot = match self.hot.pop() {
            Some(slot) => slot,
            None => self.refill()?,
        };
        self.in_use += 1;
        Some(self.stack(slot))
    }

    /// Takes back a stack on which nothing lives any more.
    pub(crate) fn give_back(&mut self, stack: Stack) {
        debug_assert_eq!(stack.limit.get(), self.slot_address(stack.slot) as usize);
        self.in_use -= 1;
        self.hot.push(stack.slot);
        if self.hot.len().saturating_sub(self.in_use) > self.reserve {
            self.cool();
        }
    }

    /// Gives up a stack that was not unwound: it is never used again.
    pub(crate) fn abandon(&mut self, stack: Stack) {
        debug_assert_eq!(stack.limit.get(), self.slot_address(stack.slot) as usize);
        self.in_use -= 1;
        self.abandoned += 1;
    }

    /// Gives back the page tables of the free slots at the end, with all memory that free stacks
    /// keep there, but for as many slots as the reserve has stacks. Takes time for every slot that
    /// was ever used.
    pub(crate) fn trim(&mut self) {
        let mut free = vec![false; self.touched as usize];
        self.hot.iter().chain(&self.cold).for_each(|&slot| free[slot as usize] = true);
        let kept = free.iter().rposition(|&free| !free).map_or(0, |last| last + 1);
        let kept = u32::try_from(kept).expect("a slot's number fits");
        let kept = kept.max(u32::try_from(self.reserve).unwrap_or(u32::MAX));
        if kept >= self.touched {
            return;
        }
        let length = (self.touched - kept) as usize * self.slot_size;
        // SAFETY: the slots from `kept` up to `touched` are this arena's and free.
        if unsafe { host_memory::reserve_anew(self.slot_address(kept), length) }.is_err() {
            // What is mapped there now is not known, so nothing from there on is used again.
            self.slots = kept;
        }
        self.touched = kept;
        self.hot.retain(|&slot| slot < kept);
        self.cold.retain(|&slot| slot < kept);
        self.hot.shrink_to_fit();
        self.cold.shrink_to_fit();
    }

    /// How many stacks are out.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use
    }

    /// How many stacks were abandoned.
    #[cfg(test)]
    pub(crate) fn abandoned(&self) -> usize {
        self.abandoned
    }

    /// How many slots have ever been used.
    #[cfg(test)]
    pub(crate) fn touched(&self) -> usize {
        self.touched as usize
    }

    /// How many free stacks keep their memory.
    #[cfg(test)]
    pub(super) fn hot(&self) -> usize {
        self.hot.len()
    }

    /// What the host can do.
    #[cfg(test)]
    pub(super) fn host(&mut self) -> &mut HostMemory {
        &mut self.host
    }

    /// Makes some slots hot when none is, and returns the one to use.
    #[cold]
    fn refill(&mut self) -> Option<u32> {
        let most = if self.host.takes_many() { MOST_AHEAD } else { 1 };
        let count = (self.in_use / AHEAD_SHARE).clamp(1, most);
        if self.cold.is_empty() {
            self.add_slots(count)?;
        } else {
            self.hot.extend(self.cold.drain(self.cold.len().saturating_sub(count)..));
        }
        let tops = self.hot.iter().map(|&slot| {
            let end = self.slot_address(slot).wrapping_add(self.slot_size);
            pages(end.wrapping_sub(self.host.page), self.host.page)
        });
        // SAFETY: the slots are this arena's.
        unsafe { self.host.populate(tops) };
        self.hot.pop()
    }

    /// Gives up to `count` slots that were never used their guards; `None` if there is not one.
    fn add_slots(&mut self, count: usize) -> Option<()> {
        let most = self.host.most_guards().min(self.slots as usize);
        let count = count.min(most.saturating_sub(self.touched as usize));
        if count == 0 {
            return None;
        }
        let new = self.touched..self.touched + u32::try_from(count).expect("no more than slots");
        let guards = new.clone().map(|slot| pages(self.slot_address(slot), self.host.page));
        // SAFETY: the guards of slots of this arena, where nothing ever lives.
        unsafe { self.host.guard(guards) }.ok()?;
        self.touched = new.end;
        self.hot.extend(new.rev());
        Some(())
    }

    /// Gives back the memory of all hot slots but the hottest, of which the reserve's number stays.
    #[cold]
    fn cool(&mut self) {
        let count = self.hot.len() - self.reserve;
        self.hot[..count].sort_unstable_by(|a, b| b.cmp(a));
        let runs = self.hot[..count].chunk_by(|above, below| above - 1 == *below);
        let memory = runs.map(|run| self.run(run));
        // SAFETY: the slots are this arena's and free.
        let done = unsafe { self.host.give_back(memory) };
        debug_assert!(done.is_ok(), "the memory of free stacks goes back");
        self.cold.extend(self.hot.drain(..count));
    }

    /// The pages of neighbouring slots, the highest first.
    fn run(&self, slots: &[u32]) -> Pages {
        let lowest = slots[slots.len() - 1];
        pages(self.slot_address(lowest), slots.len() * self.slot_size)
    }

    fn slot_address(&self, slot: u32) -> *mut u8 {
        self.memory.wrapping_add(slot as usize * self.slot_size)
    }

    fn stack(&self, slot: u32) -> Stack {
        let start = self.slot_address(slot).expose_provenance();
        let colour = slot as usize % COLOURS * COLOUR;
        let address = |address| NonZeroUsize::new(address).expect("a mapping is not at address 0");
        Stack {
            base: address(start + self.slot_size - HEAD - colour),
            limit: address(start),
            page: self.host.page,
            slot,
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if self.in_use > 0 || self.abandoned > 0 {
            return;
        }
        let length = self.slot_size * self.slots as usize;
        // SAFETY: the mapping is this arena's and no stack in it is in use.
        let done = unsafe { host_memory::unreserve(self.memory, length) };
        debug_assert!(done.is_ok(), "the arena's mapping goes back");
    }
}

impl Stack {
    /// Where the [`HEAD`] bytes above the base begin; a multiple of 16.
    pub(super) fn head(&self) -> NonNull<u8> {
        NonNull::with_exposed_provenance(self.base)
    }

    /// Where the guard lies; the stack's lowest usable byte comes after it.
    pub(super) fn guard(&self) -> Range<usize> {
        self.limit.get()..self.limit.get() + self.page
    }
}

// SAFETY: the range from `limit` to `base` is mapped and nobody else's until the stack goes back;
// its lowest page is a guard; with colour and head taken off, two pages leave MIN_STACK_SIZE; both
// ends are multiples of 16.
unsafe impl corosensei::stack::Stack for Stack {
    #[inline]
    fn base(&self) -> NonZeroUsize {
        self.base
    }

    #[inline]
    fn limit(&self) -> NonZeroUsize {
        self.limit
    }
}

const _: () = assert!(2 * 4096 - HEAD - (COLOURS - 1) * COLOUR >= MIN_STACK_SIZE);
