//! What counts as a failure of a run.

use std::fmt;

use crate::{Deadlock, ExitStatus, Name, Pid, Signal, Tick};

/// What went wrong in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// A process panicked, faulted, or failed with an error.
    Ended {
        /// Which.
        pid: Pid,
        /// Its name.
        name: Name,
        /// How.
        status: ExitStatus,
    },
    /// Nobody could ever run again while pid 1 lived.
    Deadlock(Deadlock),
    /// Time stood still for too many steps.
    Livelock {
        /// When.
        at: Tick,
        /// Who ran.
        who: String,
    },
    /// Something was left when the run was over.
    Leak {
        /// What.
        what: String,
    },
    /// A property of the trace does not hold.
    Property {
        /// Its name.
        name: String,
        /// When that was clear.
        at: Tick,
        /// What happened, or that it did not happen.
        what: String,
    },
}

impl Failure {
    /// Whether the end of a process is a failure.
    pub(super) fn of_end(pid: Pid, name: &Name, status: &ExitStatus) -> Option<Failure> {
        let fails = match status {
            ExitStatus::Panicked(_) | ExitStatus::Failed(_) => true,
            ExitStatus::Signaled(signal) => matches!(
                *signal,
                Signal::SIGSEGV
                    | Signal::SIGBUS
                    | Signal::SIGILL
                    | Signal::SIGFPE
                    | Signal::SIGXCPU
            ),
            ExitStatus::Exited(_) => false,
        };
        fails.then(|| Failure::Ended { pid, name: name.clone(), status: status.clone() })
    }

    /// Whether both are the same for the one who mends it: messages may differ in numbers.
    pub(super) fn is_like(&self, other: &Failure) -> bool {
        match (self, other) {
            (Failure::Ended { name, status, .. }, Failure::Ended { name: n, status: s, .. }) => {
                name == n && std::mem::discriminant(status) == std::mem::discriminant(s)
            }
            (Failure::Property { name, .. }, Failure::Property { name: n, .. }) => name == n,
            (Failure::Ended { .. } | Failure::Property { .. }, _) => false,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// The kind in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Failure::Ended { status: ExitStatus::Panicked(_), .. } => "panic",
            Failure::Ended { status: ExitStatus::Failed(_), .. } => "error",
            Failure::Ended { .. } => "fault",
            Failure::Deadlock(_) => "deadlock",
            Failure::Livelock { .. } => "livelock",
            Failure::Leak { .. } => "leak",
            Failure::Property { .. } => "property",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Ended { pid, name, status } => write!(f, "{pid} {name} {status}"),
            Failure::Deadlock(deadlock) => deadlock.fmt(f),
            Failure::Livelock { at, who } => {
                write!(f, "livelock at {at}: time stands still; running: {who}")
            }
            Failure::Leak { what } => write!(f, "left at the end: {what}"),
            Failure::Property { name, at, what } => write!(f, "\"{name}\" at {at}: {what}"),
        }
    }
}
