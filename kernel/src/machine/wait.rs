//! What a parked process waits for.

use std::fmt;

use hothouse_abi::{Errno, Filter, LockId, Name, Pid, SignalSet, Tick, Token};

use crate::timers::TimerKey;

/// A parked trap.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) on: On,
    pub(crate) since: Tick,
    /// When it times out; the end of time is never. A word, not an option, since that would be copied
    /// as a whole after it was written in two pieces, which waits for the store buffer.
    pub(crate) deadline: Tick,
    /// invariant: armed exactly while the process is `Waiting` and has a deadline.
    pub(crate) timer: Option<TimerKey>,
}

const _: () = assert!(size_of::<Option<Wait>>() == 64);

impl Wait {
    /// Whether it may be forgotten instead of dropped, which is a call.
    #[inline(always)]
    pub(crate) fn owns_nothing(&self) -> bool {
        match &self.on {
            On::Sent(filter) => filter.is_plain(),
            On::Named { .. } => false,
            _ => true,
        }
    }

    /// Whether there is nothing more to wait for at `now`. A timeout at this very instant is left
    /// to the timers, which let it expire only when nothing else can run; but a wait that was to
    /// take no time takes none.
    pub(crate) fn is_over(&self, now: Tick) -> bool {
        let at_once = matches!(self.on, On::Sleep) || self.since == self.deadline;
        self.times_out() && (self.deadline < now || (self.deadline == now && at_once))
    }

    /// Whether it has a deadline.
    #[inline(always)]
    pub(crate) fn times_out(&self) -> bool {
        self.deadline < Tick::MAX
    }
}

/// For what.
#[derive(Debug)]
pub(crate) enum On {
    /// A sent event that the filter takes.
    Sent(Filter),
    /// The next event of any kind.
    Next,
    /// The next event of these names.
    Named { names: Vec<Name>, remote: bool },
    /// Only the deadline.
    Sleep,
    /// The exit record of a child.
    Child(Option<Pid>),
    /// A pending signal.
    Signals(SignalSet),
    /// The reply to a call.
    Reply { peer: Pid, token: Token },
    /// A mutex.
    Mutex(Queued),
    /// The mutex of a condition, without which the call does not return; then it returns this
    /// error, if any.
    Relock { at: Queued, then: Option<Errno> },
    /// A permit.
    Semaphore(Queued),
    /// A condition, and then its mutex.
    Condition { at: Queued, mutex: LockId },
    /// The others.
    Barrier(Queued),
}

/// A place in the queue of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) lock: LockId,
    pub(crate) place: u64,
}

impl Queued {
    /// At this lock, the place still to be taken.
    pub(crate) fn at(lock: LockId) -> Queued {
        Queued { lock, place: 0 }
    }
}

impl On {
    /// The word for it in the trace.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            On::Sent(_) => "receive_event",
            On::Next => "next_event",
            On::Named { .. } => "filter_event",
            On::Sleep => "sleep",
            On::Child(_) => "wait",
            On::Signals(_) => "sigwait",
            On::Reply { .. } => "call",
            On::Mutex(_) | On::Relock { .. } => "lock",
            On::Semaphore(_) => "acquire",
            On::Condition { .. } => "wait_condition",
            On::Barrier(_) => "wait_barrier",
        }
    }

    /// The lock in whose queue the process stands.
    pub(crate) fn lock(&self) -> Option<LockId> {
        self.queued().map(|at| at.lock)
    }

    /// Its place there.
    pub(crate) fn queued(&self) -> Option<Queued> {
        match self {
            On::Mutex(at) | On::Semaphore(at) | On::Barrier(at) => Some(*at),
            On::Relock { at, .. } | On::Condition { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Gives it this place there.
    pub(crate) fn set_place(&mut self, place: u64) {
        match self {
            On::Mutex(at) | On::Semaphore(at) | On::Barrier(at) => at.place = place,
            On::Relock { at, .. } | On::Condition { at, .. } => at.place = place,
            _ => {}
        }
    }

    /// Whose death would end the wait, or keep it from ever ending.
    pub(crate) fn peer(&self) -> Option<Pid> {
        match self {
            On::Sent(filter) => filter.sender,
            On::Reply { peer, .. } => Some(*peer),
            On::Child(pid) => *pid,
            _ => None,
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            On::Sent(filter) => {
                match &filter.name {
                    Some(name) => write!(f, "an event \"{name}\"")?,
                    None => f.write_str("an event")?,
                }
                match filter.sender {
                    Some(sender) => write!(f, " from {sender}"),
                    None => Ok(()),
                }
            }
            On::Next => f.write_str("any event"),
            On::Named { names, .. } => {
                f.write_str("an event")?;
                for (i, name) in names.iter().enumerate() {
                    write!(f, "{} \"{name}\"", if i == 0 { "" } else { " or" })?;
                }
                Ok(())
            }
            On::Sleep => f.write_str("time to pass"),
            On::Child(Some(pid)) => write!(f, "child {pid} to end"),
            On::Child(None) => f.write_str("a child to end"),
            On::Signals(set) => {
                f.write_str("a signal of")?;
                set.signals().try_for_each(|signal| write!(f, " {signal}"))
            }
            On::Reply { peer, .. } => write!(f, "a reply from {peer}"),
            On::Mutex(at) | On::Relock { at, .. } => write!(f, "mutex {}", at.lock),
            On::Semaphore(at) => write!(f, "semaphore {}", at.lock),
            On::Condition { at, .. } => write!(f, "condition {}", at.lock),
            On::Barrier(at) => write!(f, "barrier {}", at.lock),
        }
    }
}
