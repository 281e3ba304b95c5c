use std::fmt;

use crate::{Class, Scheduling, Span};

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
    /// The owner runs at the highest priority of all who use the mutex, from the moment when it
    /// locks it.
    Ceiling(Ceiling),
}

/// How urgent the owner of a mutex is at least: as the most urgent of those who use it. What is
/// `None` it keeps as it is.
///
/// Sources: POSIX.1-2017, `PTHREAD_PRIO_PROTECT`; for deadlines Burns, Gutierrez, Aldea and Gonzalez
/// 2015, "A deadline-floor inheritance protocol for EDF scheduled embedded real-time systems".
///
/// ```
/// use hothouse_abi::{Ceiling, Scheduling, Span};
/// let users = [3, -5].map(|nice| Scheduling { nice, ..Scheduling::default() });
/// let ceiling = Ceiling::of(&users);
/// assert_eq!((ceiling.nice, ceiling.deadline), (Some(-5), None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ceiling {
    /// The highest class.
    pub class: Class,
    /// The lowest nice level.
    pub nice: Option<i8>,
    /// The shortest time from the release of a job to its deadline: the owner's deadline is at most
    /// so long after it got the mutex.
    pub deadline: Option<Span>,
    /// The shortest period.
    pub period: Option<Span>,
}

impl Ceiling {
    /// The ceiling of a mutex that processes use which are scheduled so.
    pub fn of<'a>(users: impl IntoIterator<Item = &'a Scheduling>) -> Ceiling {
        let least = |a: Option<Span>, b: Option<Span>| a.into_iter().chain(b).min();
        users.into_iter().fold(Ceiling::default(), |most, user| Ceiling {
            class: if user.class.rank() > most.class.rank() { user.class } else { most.class },
            nice: most.nice.into_iter().chain([user.nice]).min(),
            deadline: least(most.deadline, user.relative_deadline()),
            period: least(most.period, user.period),
        })
    }

    /// Whether a process that is scheduled so is more urgent than the ceiling in anything: then it
    /// may not lock the mutex.
    pub fn is_below(&self, user: &Scheduling) -> bool {
        let longer = |ceiling: Option<Span>, own: Option<Span>| {
            ceiling.zip(own).is_some_and(|(ceiling, own)| ceiling > own)
        };
        user.class.rank() > self.class.rank()
            || self.nice.is_some_and(|nice| nice > user.nice)
            || longer(self.deadline, user.relative_deadline())
            || longer(self.period, user.period)
    }
}
