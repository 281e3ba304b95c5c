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
    /// Its place in the queue of the lock that it waits at.
    pub(crate) place: u64,
    /// invariant: armed exactly while the process is `Waiting` and has a deadline.
    pub(crate) timer: Option<TimerKey>,
}

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
    Mutex(LockId),
    /// The mutex of a condition, without which the call does not return; then it returns this
    /// error, if any.
    Relock { id: LockId, then: Option<Errno> },
    /// A permit.
    Semaphore(LockId),
    /// A condition, and then its mutex.
    Condition { id: LockId, mutex: LockId },
    /// The others.
    Barrier(LockId),
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
        match self {
            On::Mutex(id) | On::Semaphore(id) | On::Barrier(id) => Some(*id),
            On::Relock { id, .. } | On::Condition { id, .. } => Some(*id),
            _ => None,
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
            On::Mutex(id) | On::Relock { id, .. } => write!(f, "mutex {id}"),
            On::Semaphore(id) => write!(f, "semaphore {id}"),
            On::Condition { id, .. } => write!(f, "condition {id}"),
            On::Barrier(id) => write!(f, "barrier {id}"),
        }
    }
}
