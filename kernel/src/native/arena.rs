// Memory is mapped, protected and given back by system calls that take raw addresses.
#![allow(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::ptr::{self, NonNull};

use corosensei::stack::MIN_STACK_SIZE;

/// Bytes above a stack's base that are the process's but not its stack's: see `control.rs`.
pub(super) const HEAD: usize = 256;

/// Stacks at equal offsets in their pages would share cache sets: a slot's stack begins this many
/// bytes lower than that of the slot before, modulo [`COLOURS`].
const COLOUR: usize = 192;
const COLOURS: usize = 12;

const _: () = assert!(HEAD.is_multiple_of(64) && COLOUR.is_multiple_of(64));

/// Linux 6.13: turns pages into guards without a mapping of their own.
#[cfg(target_os = "linux")]
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// The stacks of a machine's native processes.
///
/// One reservation of address space holds every slot: a guard page and above it the stack. A slot
/// takes memory from its first use on, a page at a time as it is touched. Free stacks are reused
/// hottest first.
///
/// Dropped while a stack is still out or was abandoned, the arena leaves its memory mapped: such a
/// stack was never unwound, and what lies on it may be pointed to from elsewhere.
#[derive(Debug)]
pub(crate) struct Arena {
    memory: *mut u8,
    page: usize,
    // invariant: a multiple of the page, guard included.
    slot_size: usize,
    slots: u32,
    // How many slots have been used at all; those from here on have no guard yet.
    touched: u32,
    hot: Vec<u32>,
    // Free slots whose memory went back to the host.
    cold: Vec<u32>,
    reserve: usize,
    in_use: usize,
    abandoned: usize,
    guards: Guards,
    // How many slots get a guard if guards are mappings.
    most_mappings: u32,
}

/// How guard pages are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guards {
    /// As markers in the page table.
    #[cfg(target_os = "linux")]
    Markers,
    /// As mappings without access, of which the host allows only so many.
    Mappings,
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
    /// least two, and keeps the memory of up to `reserve` free ones.
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
        let page = page_size();
        let slots = u32::try_from(slots.max(1)).map_err(|_| no_memory())?;
        let slot_size = stack_size
            .max(2 * page)
            .checked_next_multiple_of(page)
            .and_then(|size| size.checked_add(page))
            .ok_or_else(no_memory)?;
        let length = slot_size.checked_mul(slots as usize).ok_or_else(no_memory)?;
        let memory = reserve_memory(length)?;
        let mut arena = Arena {
            memory,
            page,
            slot_size,
            slots,
            touched: 0,
            hot: Vec::new(),
            cold: Vec::new(),
            reserve,
            in_use: 0,
            abandoned: 0,
            guards: Guards::Mappings,
            most_mappings: most_mappings(),
        };
        #[cfg(target_os = "linux")]
        {
            arena.guards = Guards::Markers;
            if arena.install_guard(0).is_err() {
                arena.guards = Guards::Mappings;
            }
        }
        Ok(arena)
    }

    /// A stack, the one last given back if there is any; `None` when every slot is taken or the
    /// host allows no more guards.
    pub(crate) fn take(&mut self) -> Option<Stack> {
        let slot = match self.hot.pop().or_else(|| self.cold.pop()) {
            Some(slot) => slot,
            None => self.first_use()?,
        };
        self.in_use += 1;
        Some(self.stack(slot))
    }

    /// Takes back a stack on which nothing lives any more.
    pub(crate) fn give_back(&mut self, stack: Stack) {
        debug_assert_eq!(stack.limit.get(), self.slot_address(stack.slot) as usize);
        self.in_use -= 1;
        if self.hot.len() < self.reserve {
            self.hot.push(stack.slot);
            return;
        }
        let start = self.slot_address(stack.slot).wrapping_add(self.page);
        // SAFETY: the range is the stack part of a slot of this arena, and the caller says that
        // nothing lives there.
        let done =
            unsafe { libc::madvise(start.cast(), self.slot_size - self.page, libc::MADV_DONTNEED) };
        debug_assert_eq!(done, 0, "the memory of a free stack goes back");
        self.cold.push(stack.slot);
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
        if unsafe { map(self.slot_address(kept), length, libc::MAP_FIXED) }.is_err() {
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

    /// How guard pages are made on this host.
    #[cfg(test)]
    pub(super) fn guards(&self) -> Guards {
        self.guards
    }

    /// Makes guard pages the other way, as on a host that lacks markers.
    #[cfg(test)]
    pub(super) fn use_mappings(&mut self) {
        self.guards = Guards::Mappings;
    }

    fn first_use(&mut self) -> Option<u32> {
        if self.touched == self.slots
            || self.guards == Guards::Mappings && self.touched >= self.most_mappings
        {
            return None;
        }
        self.install_guard(self.touched).ok()?;
        self.touched += 1;
        Some(self.touched - 1)
    }

    fn install_guard(&self, slot: u32) -> io::Result<()> {
        let start = self.slot_address(slot).cast();
        let done = match self.guards {
            // SAFETY: the page is the guard of a slot of this arena, where nothing ever lives.
            #[cfg(target_os = "linux")]
            Guards::Markers => unsafe { libc::madvise(start, self.page, MADV_GUARD_INSTALL) },
            // SAFETY: as above.
            Guards::Mappings => unsafe { libc::mprotect(start, self.page, libc::PROT_NONE) },
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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
            page: self.page,
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
        let done = unsafe { libc::munmap(self.memory.cast(), length) };
        debug_assert_eq!(done, 0, "the arena's mapping goes back");
    }
}

impl Stack {
    /// Where the [`HEAD`] bytes above the base begin; a multiple of 64.
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
// ends are multiples of 64.
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

/// How many guards may be mappings. The host allows it that many mappings in all, two go to each
/// guard and the stack above it, and the host's own allocator and threads must find some left.
fn most_mappings() -> u32 {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let limit = text.ok().and_then(|text| text.trim().parse::<u32>().ok());
    limit.map_or(u32::MAX, |limit| limit / 8 * 3)
}

fn page_size() -> usize {
    // SAFETY: a plain query.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("the host has a page size")
}

fn reserve_memory(length: usize) -> io::Result<*mut u8> {
    // SAFETY: a new mapping at an address of the host's choice touches nothing that exists.
    unsafe { map(ptr::null_mut(), length, 0) }
}

/// Maps memory: at `address` and over what is there, with the flag `MAP_FIXED`.
///
/// # Safety
///
/// With that flag, nothing lives in the range, and it is the caller's.
unsafe fn map(address: *mut u8, length: usize, flag: libc::c_int) -> io::Result<*mut u8> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE | flag;
    // SAFETY: as the caller says.
    let memory = unsafe { libc::mmap(address.cast(), length, access, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A huge page would give a stack two megabytes at its first touch. Hosts without huge pages
    // refuse the advice, which is as good.
    #[cfg(target_os = "linux")]
    // SAFETY: advice about the mapping just made.
    unsafe {
        libc::madvise(memory, length, libc::MADV_NOHUGEPAGE);
    }
    Ok(memory.cast())
}
