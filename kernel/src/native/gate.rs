use std::panic;
use std::thread;

use hothouse_abi::{Errno, Flow, Frame, Gate, Resume, Unwinding};

use super::control::Control;
use super::jump;

/// How many traps of a dying process pass for a destructor's when there is no telling.
const GRACE: u32 = 64;

/// A native process's way into the kernel.
impl Gate for Control {
    #[inline]
    fn trap(&self, frame: &mut Frame) -> Flow {
        frame.unwinding = thread::panicking() && self.is_unwinding();
        jump::suspend(self, &raw mut *frame);
        if matches!(frame.resume, Resume::Unwind) {
            self.unwind(frame);
        }
        Flow::Done
    }
}

impl Control {
    /// Whether this very process unwinds, when the thread counts as panicking.
    ///
    /// The thread's count is right as long as only this process is in the middle of an unwinding.
    /// It is not when this process was killed by a destructor of another one, nor on a thread whose
    /// count could not be settled after a fault. Then a process that was told to unwind is believed
    /// to be doing so for a bounded number of traps.
    #[cold]
    fn is_unwinding(&self) -> bool {
        self.guessed.set(self.blind.get());
        if !self.blind.get() {
            return true;
        }
        let grace = self.grace.get();
        self.grace.set(grace.saturating_sub(1));
        self.dying.get() && grace > 0
    }

    #[cold]
    fn unwind(&self, frame: &mut Frame) {
        // A second unwinding out of a destructor would abort.
        if frame.unwinding {
            frame.resume = Resume::Error(Errno::EINTR);
            return;
        }
        self.dying.set(true);
        self.grace.set(GRACE);
        panic::resume_unwind(Box::new(Unwinding));
    }
}
