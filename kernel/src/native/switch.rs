// The switch between the kernel's stack and a process's, and the frame that crosses it by address.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::{ManuallyDrop, offset_of};
use std::panic::{self, AssertUnwindSafe};
use std::ptr::{self, NonNull};
use std::thread;

use corosensei::Coroutine;
use hothouse_abi::{ExitStatus, Frame, Main, Value};

use super::arena::{Arena, Stack};
use super::control::{self, Control, End};
use super::fault::{Fault, Trouble};
use super::jump::{self, Fiber, Way};
use super::panics;
use super::prefetch::{LINE, prefetch};
use super::watchdog;

/// One native process: its program and the stack that it runs on.
///
/// At its end it goes by [`Native::finish`], or by [`Native::abandon`] if it can't be brought to
/// one. Dropped before its end it is forgotten as it stands: no destructor runs, and its stack is
/// lost to the arena.
pub(crate) struct Native {
    // invariant: the head of the process's stack, which is at its base.
    control: NonNull<Control>,
    // See `jump::resume`.
    suspended_at: usize,
    // invariant: null, or the frame of the trap in which the process is suspended.
    frame: *mut Frame,
}

const _: () = assert!(size_of::<Native>() == 24, "a switch reads all of it");

/// Why a process came back to the kernel.
#[derive(Debug)]
#[must_use]
pub(crate) enum Came {
    /// It made a trap: see [`Native::frame`].
    Trapped,
    /// Its program returned, panicked or unwound to its root. For one that was told to unwind the
    /// status means nothing.
    Ended(ExitStatus),
    /// It was cut off, and its stack was not unwound.
    Faulted(Fault),
}

impl Native {
    /// A process that will run `main` on `stack`, from its first [`Native::resume`] on.
    pub(crate) fn start(main: Main, stack: Stack) -> Native {
        let control: NonNull<Control> = stack.head().cast();
        let guard = stack.guard();
        let coroutine = Coroutine::with_stack(stack, move |way: &Way, ()| {
            // SAFETY: written below, before the first resume, and in place until the stack goes
            // back.
            let control = unsafe { control.as_ref() };
            control.end.set(Some(End::Status(run(main, way, control))));
        });
        // SAFETY: the head of a stack is HEAD bytes that are the process's own, at a multiple of
        // 16, and a record needs no more.
        unsafe {
            control.write(Control {
                way: Cell::new(ptr::null()),
                left_at: Cell::new(0),
                handler: coroutine.trap_handler(),
                guard,
                fiber: UnsafeCell::new(ManuallyDrop::new(coroutine)),
                faulted: Cell::new(false),
                end: Cell::new(None),
                panics: RefCell::new(Vec::new()),
                cancelled: Cell::new(false),
                dying: Cell::new(false),
                blind: Cell::new(false),
                guessed: Cell::new(false),
                grace: Cell::new(0),
            });
        }
        Native { control, suspended_at: 0, frame: ptr::null_mut() }
    }

    /// Has a process that never ran not run its program: its next resume drops it, on the
    /// process's own stack, and ends.
    ///
    /// # Panics
    ///
    /// If it was resumed already.
    pub(crate) fn cancel(&mut self) {
        assert!(!self.is_started(), "only a process that never ran is cancelled");
        self.control().cancelled.set(true);
    }

    /// Whether it was resumed at least once.
    pub(crate) fn is_started(&self) -> bool {
        self.fiber().started()
    }

    /// Runs the process until its next trap or its end.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[inline(always)]
    pub(crate) fn resume(&mut self) -> Came {
        if thread::panicking() {
            return self.resume_while_panicking();
        }
        self.switch()
    }

    /// The frame of the trap in which the process is suspended.
    ///
    /// # Panics
    ///
    /// If it is in none: it never ran, or it ended.
    #[inline]
    pub(crate) fn frame(&mut self) -> &mut Frame {
        // SAFETY: by the invariant the frame is on the stack of a process that is suspended in
        // `Gate::trap`, which holds it alone; the process can't go on while `self` is borrowed.
        unsafe { self.frame.as_mut() }.expect("the process is suspended in a trap")
    }

    /// Has the processor fetch what a suspended process looks at first when it goes on: the top of
    /// its stack, and where its frame and its stack begin.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch(ptr::without_provenance::<u8>(self.suspended_at), 0..4);
        prefetch(self.frame, 0..1);
        prefetch(self.frame.wrapping_byte_add(offset_of!(Frame, trap)), 0..1);
        prefetch(self.control.as_ptr(), 0..1);
    }

    /// Has the processor fetch what a suspended process has on its stack, at most so many cache
    /// lines from the top.
    #[inline(always)]
    pub(crate) fn prefetch_stack(&self, most: usize) {
        let lines = (self.control.addr().get() - self.suspended_at) / LINE + 1;
        prefetch(ptr::without_provenance::<u8>(self.suspended_at), 0..lines.min(most));
    }

    /// Gives back the stack of a process that has ended; that of one that was cut off is abandoned.
    ///
    /// # Panics
    ///
    /// If it has not ended.
    pub(crate) fn finish(self, arena: &mut Arena) {
        assert!(self.fiber().done(), "only an ended process is finished");
        let faulted = self.control().faulted.get();
        let stack = self.into_stack();
        if faulted {
            arena.abandon(stack);
        } else {
            arena.give_back(stack);
        }
    }

    /// Gives up a process that does not end: what is on its stack is forgotten, and the stack is
    /// never used again.
    pub(crate) fn abandon(mut self, arena: &mut Arena) {
        if self.is_known_to_unwind() {
            panics::settle();
        }
        // SAFETY: the coroutine never runs again and its stack is never reused, so that what lies
        // there stays valid for ever, as leaked values do.
        unsafe { (*self.control().fiber.get()).force_reset() };
        arena.abandon(self.into_stack());
    }

    fn control(&self) -> &Control {
        // SAFETY: written by `start`, in place until `into_stack`, shared only by reference.
        unsafe { self.control.as_ref() }
    }

    fn fiber(&self) -> &Fiber {
        // SAFETY: only `jump::resume` changes it, and while that runs `self` is borrowed mutably.
        unsafe { &*self.control().fiber.get() }
    }

    #[inline(always)]
    fn switch(&mut self) -> Came {
        let outer = control::enter(self.control.as_ptr());
        // SAFETY: `control` as in `Native::control`; it is at the base of the stack, and `self` is
        // borrowed mutably, so that the process does not run.
        self.frame = unsafe { jump::resume(self.control.as_ref(), &mut self.suspended_at) };
        control::leave(outer);
        if self.frame.is_null() { self.ended() } else { Came::Trapped }
    }

    /// Runs the process when the thread counts as panicking: for its own unwinding, if its last
    /// trap was one of a destructor's, else for somebody else's.
    #[cold]
    #[inline(never)]
    fn resume_while_panicking(&mut self) -> Came {
        let blind = panics::is_unsettled() || !self.is_known_to_unwind();
        self.control().blind.set(blind);
        let came = self.switch();
        self.control().blind.set(false);
        came
    }

    /// Whether its last trap was made by a destructor in an unwinding of its own, beyond guessing.
    fn is_known_to_unwind(&mut self) -> bool {
        !self.frame.is_null() && self.frame().unwinding && !self.control().guessed.get()
    }

    #[cold]
    #[inline(never)]
    fn ended(&mut self) -> Came {
        match self.control().end.take() {
            Some(End::Status(status)) => Came::Ended(status),
            Some(End::Trouble(trouble)) => Came::Faulted(self.cut_off(trouble)),
            None => unreachable!("invariant: the root of a stack and the fault handler say how"),
        }
    }

    fn cut_off(&mut self, trouble: Trouble) -> Fault {
        let control = self.control();
        control.faulted.set(true);
        watchdog::forget(control);
        let fault = trouble.fault(control);
        if thread::panicking() {
            panics::leave_hook();
            if !control.blind.get() {
                panics::settle();
            } else if control.dying.get() || !control.panics.borrow().is_empty() {
                panics::give_up_settling();
            }
        }
        fault
    }

    fn into_stack(self) -> Stack {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so each is taken once. The process runs no more, so
        // nothing else refers to the record.
        unsafe {
            let fiber = ManuallyDrop::take(this.control.as_mut().fiber.get_mut());
            ptr::drop_in_place(this.control.as_ptr());
            fiber.into_stack()
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        if self.fiber().done() {
            // SAFETY: nothing runs or lies on the stack any more, and `self` is going.
            unsafe {
                let fiber = ManuallyDrop::take(self.control.as_mut().fiber.get_mut());
                ptr::drop_in_place(self.control.as_ptr());
                drop(fiber);
            }
        }
    }
}

/// The root of a process's stack. Nothing unwinds past it.
fn run(main: Main, way: &Way, control: &Control) -> ExitStatus {
    control.way.set(way);
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        if control.cancelled.get() {
            drop(main);
            return ExitStatus::Exited(Value::Nil);
        }
        main(control)
    }));
    result.unwrap_or_else(|payload| panics::status_of(payload, control))
}
