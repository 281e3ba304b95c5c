use crate::{Resume, Trap};

/// One call into the kernel, as it lies on the caller's stack: the trap on the way in, the answer
/// on the way out.
///
/// It crosses the switch by its address, as a trap frame does on hardware, and is never copied.
#[derive(Debug)]
#[repr(C)]
pub struct Frame {
    // Of a call that moves no data the flags and the kind of the answer are all that is looked at
    // after it: they lie side by side, in one cache line.
    /// Set by the gate when a destructor makes the trap while its stack unwinds: such a trap never
    /// parks.
    pub unwinding: bool,
    /// Set by the gate of a body that can't wait here, for instance between frames of C code: such
    /// a trap is not put off.
    pub atomic: bool,
    /// The answer, valid once [`Gate::trap`] returned [`Flow::Done`].
    pub resume: Resume,
    /// What is asked for. The kernel takes out of it what it keeps and leaves the rest.
    pub trap: Trap,
}

impl Frame {
    /// A frame that asks for `trap`.
    #[inline]
    pub fn new(trap: Trap) -> Frame {
        Frame { trap, resume: Resume::Unit, unwinding: false, atomic: false }
    }
}

/// The way from a program into the kernel.
pub trait Gate {
    /// Makes the trap in `frame` and leaves the answer in it.
    ///
    /// For a program on a stack of its own it returns when the answer is there. It does not return
    /// at all when the process ends in the trap: then the stack unwinds.
    ///
    /// For a [`Body`](crate::Body) that is stepped it returns [`Flow::Parked`] when the answer will
    /// come later: the body must then return [`Step::Parked`](crate::Step::Parked), and gets the
    /// answer with its next resume. The frame is read before the return and may be dropped.
    fn trap(&self, frame: &mut Frame) -> Flow;
}

/// Whether a trap was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// The answer is in the frame.
    Done,
    /// The answer comes with the next resume.
    Parked,
}
