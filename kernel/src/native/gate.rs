use std::cell::Cell;
use std::panic;
use std::thread;

use hothouse_abi::{Errno, Flow, Frame, Gate, Resume, Unwinding};

use super::control::Control;
use super::jump::{self, Way};

/// How many traps of a dying process pass for a destructor's when there is no telling.
const GRACE: u32 = 64;

/// A native process's way into the kernel.
pub(super) struct NativeGate<'a> {
    pub(super) way: &'a Way,
    pub(super) control: &'a Control,
    /// The stack pointer in the last trap.
    pub(super) left_at: Cell<usize>,
}

impl Gate for NativeGate<'_> {
    #[inline]
    fn trap(&self, frame: &mut Frame) -> Flow {
        frame.unwinding = thread::panicking() && self.is_unwinding();
        jump::suspend(self.way, &self.left_at, &raw mut *frame);
        if matches!(frame.resume, Resume::Unwind) {
            self.unwind(frame);
        }
        Flow::Done
    }
}

impl NativeGate<'_> {
    /// Whether this very process unwinds, when the thread counts as panicking.
    ///
    /// The thread's count is right as long as only this process is in the middle of an unwinding.
    /// It is not when this process was killed by a destructor of another one, nor on a thread whose
    /// count could not be settled after a fault. Then a process that was told to unwind is believed
    /// to be doing so for a bounded number of traps.
    #[cold]
    fn is_unwinding(&self) -> bool {
        self.control.guessed.set(self.control.blind.get());
        if !self.control.blind.get() {
            return true;
        }
        let grace = self.control.grace.get();
        self.control.grace.set(grace.saturating_sub(1));
        self.control.dying.get() && grace > 0
    }

    #[cold]
    fn unwind(&self, frame: &mut Frame) {
        // A second unwinding out of a destructor would abort.
        if frame.unwinding {
            frame.resume = Resume::Error(Errno::EINTR);
            return;
        }
        self.control.dying.set(true);
        self.control.grace.set(GRACE);
        panic::resume_unwind(Box::new(Unwinding));
    }
}
