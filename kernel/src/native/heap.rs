// Looks up where the C library's allocator lies and reads return addresses off a stack.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;

/// Where the code of the C library's allocator lies, as far as it can be told.
static CODE: OnceLock<Range<usize>> = OnceLock::new();

/// The allocator's functions that bear a name lie together; those that bear none lie before them,
/// within this many bytes in the releases looked at.
const BEFORE: usize = 0x4800;
const AFTER: usize = 0x400;

/// How many words of a stack are searched for a return address into the allocator.
const WORDS: usize = 512;

/// Finds the allocator.
pub(super) fn install() {
    CODE.get_or_init(find);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn find() -> Range<usize> {
    let names = [c"malloc", c"free", c"realloc", c"calloc", c"memalign", c"posix_memalign"];
    let addresses = names.map(|name| {
        // SAFETY: a lookup by a name that ends in a zero byte.
        unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) as usize }
    });
    match (addresses.iter().min(), addresses.iter().max()) {
        // Far apart they are not one allocator's.
        (Some(&low), Some(&high)) if low > BEFORE && high - low < 0x8000 => {
            low - BEFORE..high + AFTER
        }
        _ => 0..0,
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn find() -> Range<usize> {
    0..0
}

/// Gives free memory of the C library's allocator back to the host, where it can.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        empty_cache();
        // SAFETY: it takes any number, and touches free memory only.
        unsafe { libc::malloc_trim(0) };
    }
}

/// Asks the host to back memory that nobody has touched by large pages, where it can: a million
/// records are then a few hundred faults, not a hundred thousand, and fewer look-ups in the page table.
pub(crate) fn use_large_pages<T>(memory: &mut [MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    {
        let Range { start, end } = memory.as_mut_ptr_range();
        let (start, end) = (start.addr().next_multiple_of(LARGE), end.addr() / LARGE * LARGE);
        if start < end {
            let pages = memory.as_mut_ptr().with_addr(start).cast();
            // SAFETY: the pages lie within the slice, and advice of this kind changes no contents. If
            // the host does not take it, nothing is lost.
            unsafe { libc::madvise(pages, end - start, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

/// The bytes of a large page.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 << 20;

/// The allocator keeps up to so many free pieces of each small size for a thread, and does not give
/// back the pages in which they lie: after a million processes that is a megabyte and more.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const CACHED: usize = 16;

/// Empties what it keeps for this thread: a thread that frees the pieces takes them along.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn empty_cache() {
    let sizes = (16..=1024).step_by(16);
    let cached: Vec<_> =
        sizes.flat_map(|size| [(); CACHED].map(|()| Vec::<u8>::with_capacity(size))).collect();
    let cached = std::hint::black_box(cached);
    if let Ok(thread) = std::thread::Builder::new().spawn(move || drop(cached)) {
        let _ = thread.join();
    }
}

/// Whether code at `pc` is the allocator's.
pub(super) fn contains(pc: usize) -> bool {
    CODE.get().is_some_and(|code| code.contains(&pc))
}

/// Whether the allocator seems to be among the callers of the code whose stack reaches from `low`
/// up to `high`. May err on the side of yes.
///
/// # Safety
///
/// The range is readable, and the stack of the calling thread or of code that it interrupted.
pub(super) unsafe fn is_among_callers(low: usize, high: usize) -> bool {
    let start = low.next_multiple_of(size_of::<usize>());
    let words = high.saturating_sub(start) / size_of::<usize>();
    (0..words.min(WORDS)).any(|i| {
        let word = std::ptr::with_exposed_provenance::<usize>(start).wrapping_add(i);
        // SAFETY: in the range, which the caller vouches for. Volatile, since it may be a slot
        // that nobody wrote.
        contains(unsafe { word.read_volatile() })
    })
}
