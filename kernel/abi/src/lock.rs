use std::fmt;

/// The id of a lock of the kernel, unique within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockId(u64);

impl LockId {
    /// The id with this number.
    pub const fn new(number: u64) -> Self {
        LockId(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The kinds of locks. Each has a queue of waiting processes in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Owned by one process at a time.
    Mutex(Protocol),
    /// A count of permits, with this many to begin with.
    Semaphore(u64),
    /// Waited for together with a mutex.
    Condition,
    /// Opens when this many processes wait.
    Barrier(u64),
}

impl LockKind {
    /// The word for it in reports.
    pub const fn word(self) -> &'static str {
        match self {
            LockKind::Mutex(_) => "mutex",
            LockKind::Semaphore(_) => "semaphore",
            LockKind::Condition => "condition",
            LockKind::Barrier(_) => "barrier",
        }
    }
}

/// What a mutex does about priority inversion.
///
/// Source: Sha, Rajkumar and Lehoczky 1990, "Priority inheritance protocols".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Nothing.
    #[default]
    None,
    /// The owner runs at the highest priority among those who wait for it.
    Inherit,
}
