//! A bad pointer, for programs that are to fault.
// Only unsafe code can read through a bad pointer.
#![allow(unsafe_code)]

/// Reads from an address that is never mapped.
pub(crate) fn read(address: usize) -> i32 {
    assert!(address < 4096, "only the first page is never mapped");
    let pointer = std::hint::black_box(address) as *const i32;
    // SAFETY: none; this is the fault that the tests want. It strikes a process's own stack frame,
    // where the kernel catches it.
    unsafe { pointer.read_volatile() }
}
