// The instruction takes a raw address.
#![allow(unsafe_code)]

use std::ops::Range;

/// The bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Has the processor fetch some of the cache lines from where a value begins, as it is going to be
/// used a few turns from now.
#[inline(always)]
pub(crate) fn prefetch<T>(value: *const T, lines: Range<usize>) {
    for line in lines {
        let at = value.cast::<u8>().wrapping_add(line * LINE);
        // SAFETY: a hint. It reads nothing that the program could see and faults at no address.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
        }
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            std::arch::asm!("prfm pldl1keep, [{}]", in(reg) at, options(nostack, readonly));
        }
    }
}
