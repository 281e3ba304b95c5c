use std::fmt;

/// A process id: positive, rising by one from 1 in order of creation, never reused within a run.
///
/// ```
/// use hothouse_abi::Pid;
/// assert_eq!(Pid::new(7).to_string(), "7");
/// assert!(Pid::KERNEL.is_kernel());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pid(u64);

impl Pid {
    /// Pid 0: the parent of processes started from outside, adopter of orphans, sender of kernel
    /// events, never a target.
    pub const KERNEL: Pid = Pid(0);

    /// The pid with this number. Any number may be asked for; whether a process has it is the
    /// kernel's to say.
    pub const fn new(number: u64) -> Self {
        Pid(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Whether this is [`Pid::KERNEL`].
    pub const fn is_kernel(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pid({})", self.0)
    }
}
