// Memory is mapped, guarded and given back by system calls that take raw addresses.
#![allow(unsafe_code)]

use std::io;
use std::ptr;

/// Linux 6.13: turns pages into guards without a mapping of their own.
#[cfg(target_os = "linux")]
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// Linux 6.14: stands for the calling process where a descriptor of a process is asked for.
#[cfg(target_os = "linux")]
const PIDFD_SELF: libc::c_long = -10_000;

/// Ranges of one call; the host takes no more than 1,024.
const MOST_RANGES: usize = 1024;

/// Some pages, by their address and length in bytes.
pub(super) type Pages = libc::iovec;

/// What the host can do with memory, found out once.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostMemory {
    pub(super) page: usize,
    guards: Guards,
    // Whether one call takes advice about many ranges.
    vectors: bool,
    most_mappings: usize,
}

/// How guard pages are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guards {
    /// As markers in the page table.
    #[cfg(target_os = "linux")]
    Markers,
    /// As mappings without access, of which the host allows only so many.
    Mappings,
}

impl HostMemory {
    /// What every host can do.
    pub(super) fn plain() -> HostMemory {
        HostMemory {
            page: page_size(),
            guards: Guards::Mappings,
            vectors: false,
            most_mappings: most_mappings(),
        }
    }

    /// What this host can do, found out by trying it on `page`, which may be a guard from then on.
    ///
    /// # Safety
    ///
    /// The page is mapped and the caller's, and nothing lives there.
    pub(super) unsafe fn probe(page: *mut u8) -> HostMemory {
        let plain = HostMemory::plain();
        #[cfg(target_os = "linux")]
        {
            let guard = [pages(page, plain.page)];
            // SAFETY: as the caller says.
            let vectors = unsafe { advise_many(&guard, MADV_GUARD_INSTALL) };
            // SAFETY: as above.
            if vectors || unsafe { advise_each(&guard, MADV_GUARD_INSTALL) }.is_ok() {
                return HostMemory { guards: Guards::Markers, vectors, ..plain };
            }
        }
        let _ = page;
        plain
    }

    /// The same host, as if it took no advice about many ranges in one call.
    #[cfg(test)]
    pub(super) fn without_vectors(self) -> HostMemory {
        HostMemory { vectors: false, ..self }
    }

    /// How many guards there may be.
    pub(super) fn most_guards(&self) -> usize {
        match self.guards {
            #[cfg(target_os = "linux")]
            Guards::Markers => usize::MAX,
            Guards::Mappings => self.most_mappings,
        }
    }

    /// Whether advice about many ranges costs little more than about one.
    pub(super) fn takes_many(&self) -> bool {
        self.vectors
    }

    /// Turns pages into guards, which stay for as long as the mapping. After an error any of them
    /// may be one.
    ///
    /// # Safety
    ///
    /// The pages are the caller's, and nothing lives or will live there.
    pub(super) unsafe fn guard(&self, guards: impl Iterator<Item = Pages>) -> io::Result<()> {
        match self.guards {
            // SAFETY: as the caller says.
            #[cfg(target_os = "linux")]
            Guards::Markers => unsafe { self.advise(guards, MADV_GUARD_INSTALL) },
            Guards::Mappings => {
                for guard in guards {
                    // SAFETY: as the caller says.
                    done(unsafe {
                        libc::mprotect(guard.iov_base, guard.iov_len, libc::PROT_NONE)
                    })?;
                }
                Ok(())
            }
        }
    }

    /// Gives pages their memory before they are touched, if the host does so for many at once. They
    /// read as before.
    ///
    /// # Safety
    ///
    /// The pages are the caller's.
    pub(super) unsafe fn populate(&self, pages: impl Iterator<Item = Pages>) {
        #[cfg(target_os = "linux")]
        if self.vectors {
            // What does not work now, a touch does.
            // SAFETY: memory is added, and what is there stays; the pages are the caller's.
            let _ = unsafe { self.advise(pages, libc::MADV_POPULATE_WRITE) };
        }
        #[cfg(not(target_os = "linux"))]
        drop(pages);
    }

    /// Gives the memory of pages back to the host: they then read as 0. Guards among them stay.
    ///
    /// # Safety
    ///
    /// The pages are the caller's, and nothing lives there.
    pub(super) unsafe fn give_back(&self, pages: impl Iterator<Item = Pages>) -> io::Result<()> {
        // SAFETY: as the caller says.
        unsafe { self.advise(pages, libc::MADV_DONTNEED) }
    }

    /// # Safety
    ///
    /// The pages are the caller's, and bear what the advice does to them.
    unsafe fn advise(
        &self,
        mut pages: impl Iterator<Item = Pages>,
        advice: libc::c_int,
    ) -> io::Result<()> {
        let mut batch = Vec::new();
        loop {
            batch.clear();
            batch.extend(pages.by_ref().take(MOST_RANGES));
            if batch.is_empty() {
                return Ok(());
            }
            #[cfg(target_os = "linux")]
            // SAFETY: as the caller says.
            if self.vectors && unsafe { advise_many(&batch, advice) } {
                continue;
            }
            // SAFETY: as above; no harm is done by the same advice twice.
            unsafe { advise_each(&batch, advice)? };
        }
    }
}

/// Gives advice about many ranges by one call. Returns whether the host took all of it; what it took
/// of it otherwise is not known.
///
/// # Safety
///
/// As for [`HostMemory::advise`].
#[cfg(target_os = "linux")]
unsafe fn advise_many(ranges: &[Pages], advice: libc::c_int) -> bool {
    let length: usize = ranges.iter().map(|pages| pages.iov_len).sum();
    let (first, count) = (ranges.as_ptr(), ranges.len());
    // SAFETY: as the caller says; the host reads `count` ranges from `first` on.
    let advised =
        unsafe { libc::syscall(libc::SYS_process_madvise, PIDFD_SELF, first, count, advice, 0) };
    usize::try_from(advised) == Ok(length)
}

/// # Safety
///
/// As for [`HostMemory::advise`].
unsafe fn advise_each(ranges: &[Pages], advice: libc::c_int) -> io::Result<()> {
    ranges.iter().try_for_each(|pages| {
        // SAFETY: as the caller says.
        done(unsafe { libc::madvise(pages.iov_base, pages.iov_len, advice) })
    })
}

/// The pages from `start` on, `length` bytes of them.
pub(super) fn pages(start: *mut u8, length: usize) -> Pages {
    Pages { iov_base: start.cast(), iov_len: length }
}

/// Reserves address space; memory is taken as it is touched.
pub(super) fn reserve(length: usize) -> io::Result<*mut u8> {
    // SAFETY: a new mapping at an address of the host's choice touches nothing that exists.
    unsafe { map(ptr::null_mut(), length, 0) }
}

/// Has the range as if it had just been reserved: without memory, page tables and guards.
///
/// # Safety
///
/// The range is the caller's, and nothing lives there.
pub(super) unsafe fn reserve_anew(start: *mut u8, length: usize) -> io::Result<()> {
    // SAFETY: as the caller says.
    unsafe { map(start, length, libc::MAP_FIXED) }.map(drop)
}

/// Gives up a reservation.
///
/// # Safety
///
/// The range is the caller's, and nothing lives there.
pub(super) unsafe fn unreserve(start: *mut u8, length: usize) -> io::Result<()> {
    // SAFETY: as the caller says.
    done(unsafe { libc::munmap(start.cast(), length) })
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

/// How many guards may be mappings. The host allows it that many mappings in all, two go to each
/// guard and the stack above it, and the host's own allocator and threads must find some left.
fn most_mappings() -> usize {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let limit = text.ok().and_then(|text| text.trim().parse::<usize>().ok());
    limit.map_or(usize::MAX, |limit| limit / 8 * 3)
}

/// The bytes of a page.
pub(super) fn page_size() -> usize {
    // SAFETY: a plain query.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("the host has a page size")
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
