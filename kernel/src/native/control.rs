// The record is found through a thread-local address, also by the fault handler.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr;

use corosensei::trap::CoroutineTrapHandler;
use hothouse_abi::ExitStatus;

use super::arena::HEAD;
use super::fault::Trouble;
use super::jump::{Fiber, Way};
use super::panics::PanicRecord;

/// What the kernel, the gate, the panic hook and the fault handler must know of a process that
/// runs, and what a switch does not. It lies above the base of the process's stack, so that it
/// costs no allocation.
///
/// What a trap looks at comes first, in the cache line of the stack's last word.
#[repr(C)]
pub(super) struct Control {
    /// The way back to the kernel's stack; null before the first resume.
    pub(super) way: Cell<*const Way>,
    /// The stack pointer in the last trap; 0 before the first.
    pub(super) left_at: Cell<usize>,
    /// Makes the coroutine return after a fault.
    pub(super) handler: CoroutineTrapHandler<()>,
    /// Where the stack's guard lies.
    pub(super) guard: Range<usize>,
    /// Its coroutine, which is the kernel's alone. Forgotten, never dropped, while unfinished: to
    /// drop it would unwind the stack, and abort the host if the program objects.
    pub(super) fiber: UnsafeCell<ManuallyDrop<Fiber>>,
    /// The fault handler cut it off.
    pub(super) faulted: Cell<bool>,
    /// How the process ended, for the kernel to take.
    pub(super) end: Cell<Option<End>>,
    /// The panics that the hook took down, oldest first.
    pub(super) panics: RefCell<Vec<PanicRecord>>,
    /// The process was ended before it ever ran.
    pub(super) cancelled: Cell<bool>,
    /// The process was told to unwind.
    pub(super) dying: Cell<bool>,
    /// `thread::panicking()` says nothing about this process in this run of it.
    pub(super) blind: Cell<bool>,
    /// The last trap's `unwinding` was a guess.
    pub(super) guessed: Cell<bool>,
    /// How many more traps of a dying process pass for a destructor's while `blind`.
    pub(super) grace: Cell<u32>,
}

const _: () = assert!(size_of::<Control>() <= HEAD && align_of::<Control>() <= 16);

/// How a process ended.
pub(super) enum End {
    /// Its program came to an end.
    Status(ExitStatus),
    /// The fault handler cut it off.
    Trouble(Trouble),
}

thread_local! {
    // Const and without a destructor, so that the fault handler may read it.
    static CURRENT: Cell<*const Control> = const { Cell::new(ptr::null()) };
}

/// The process on whose stack this thread runs, if it runs on one.
#[inline]
pub(super) fn current<'a>() -> Option<&'a Control> {
    // SAFETY: `enter` is given a record that outlives the run of the process, and `leave` takes
    // the address away before the run is over; callers use the reference within the run only.
    unsafe { CURRENT.get().as_ref() }
}

/// Notes that the process of this record is about to run; returns what [`leave`] is to be given.
/// Runs nest when a process drives a machine of its own.
#[inline]
pub(super) fn enter(control: *const Control) -> *const Control {
    CURRENT.replace(control)
}

/// Notes that the process no longer runs.
#[inline]
pub(super) fn leave(outer: *const Control) {
    CURRENT.set(outer);
}

/// Runs `work`, which makes no trap, on the stack of the kernel that runs the current process, if
/// one runs. The process's may be too small for it, and what is on it may be cut off, with whatever
/// lock it holds.
pub(super) fn on_kernels_stack<T>(work: impl FnOnce() -> T) -> T {
    struct Carried<F>(F);
    // SAFETY: the stack that this is carried to is one of the same thread.
    unsafe impl<F> Send for Carried<F> {}
    impl<F: FnOnce() -> T, T> Carried<F> {
        fn call(self) -> Carried<T> {
            Carried((self.0)())
        }
    }
    // SAFETY: set before the program's first line, and valid while its stack exists.
    let way = current().and_then(|control| unsafe { control.way.get().as_ref() });
    let carried = Carried(work);
    match way {
        Some(way) => way.on_parent_stack(move || carried.call()).0,
        None => carried.call().0,
    }
}
