//! Native processes: programs in machine code, each on a stack of its own.
//!
//! * [`Arena`] holds the stacks: one reservation, guarded slots, the hottest reused first.
//! * [`Native`] is one process: started on a stack, resumed until its next trap, ended.
//! * A panic ends only the process that it strikes. Its message is taken down by a panic hook that
//!   works on the kernel's stack, since the process's is small.
//! * A hardware fault or an abort on a process's stack ends only that process. The stack is then
//!   not unwound, so it is given up for good.
//!
//! # What is not contained
//!
//! * A fault inside the C library's allocator. Its locks may be held and its lists half changed,
//!   so nothing may allocate any more: the host ends with exit code 4.
//! * A fault that strikes while the program holds something that others share by its own doing,
//!   such as a `std` mutex or a `RefCell` borrow: what is held stays held, for the stack is not
//!   unwound.
//! * A stray write that hits no guard and no hole. Stacks are guarded, the heap is not.
//! * A fault or an abort inside the standard library's panic code, as by a `Display` that panics in
//!   a panic's message or by an overflow right there, leaves its lock on the panic hook held for
//!   reading. Panics go on working, but a later `std::panic::set_hook` or `take_hook` waits for
//!   ever; the end of a test binary makes such a call.
//! * A fault while two unwindings are under way on one thread (one process killed another in a
//!   destructor) leaves [`std::thread::panicking`] true on that thread for ever. Processes don't
//!   rely on it from then on; see the notes in `gate.rs`.
//! * A process that makes no more traps ends the run, once the watchdog has found it.
//! * An overflow that steps over the guard page (foreign code without stack
//!   probes), `exit` and signals that a program sends to the host.

mod arena;
mod bare;
mod control;
mod fault;
mod gate;
mod heap;
mod host_memory;
mod jump;
mod panics;
mod place;
mod prefetch;
mod registers;
mod switch;
#[cfg(test)]
mod tests;
mod watchdog;

pub(crate) use arena::Arena;
pub use bare::bare_round_trips;
pub(crate) use fault::{Fault, FaultKind};
pub(crate) use heap::{give_back as give_back_heap, use_large_pages};
pub(crate) use prefetch::{LINE, prefetch};
pub(crate) use switch::{Came, Native};
pub(crate) use watchdog::Watch;

/// Makes the host's thread and process ready for faults and panics of native processes.
fn prepare() {
    fault::install();
    panics::install();
}
