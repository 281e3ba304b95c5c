//! A bad pointer, for programs that are to fault.
// Only unsafe code can read through a bad pointer.
#![allow(unsafe_code)]

use std::ptr;

/// Reads from an address that is never mapped.
pub(crate) fn read(address: usize) -> i32 {
    assert!(address < 4096, "only the first page is never mapped");
    let address = std::hint::black_box(address);
    // SAFETY: none; this is the fault that the tests want. It strikes in a process, where the kernel
    // catches it.
    unsafe { ptr::with_exposed_provenance::<u8>(address).read_volatile() }.into()
}
