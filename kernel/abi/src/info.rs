use std::fmt;

use crate::{Name, Pid, Span, Tick};

/// What `getpinfo` tells of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessInfo {
    /// Its pid.
    pub pid: Pid,
    /// Its name.
    pub name: Name,
    /// Its user.
    pub user: Name,
    /// Its parent; [`Pid::KERNEL`] for orphans and processes from outside.
    pub parent: Pid,
    /// What it is doing.
    pub state: StateInfo,
    /// CPU time used.
    pub cpu_time: Span,
    /// Time spent ready, without a CPU.
    pub wait_time: Span,
    /// Traps made.
    pub traps: u64,
    /// Events queued now.
    pub mailbox_depth: usize,
    /// The most events that were ever queued.
    pub mailbox_peak: usize,
    /// Its nice level, -20 to 19.
    pub nice: i8,
    /// When it was created.
    pub started_at: Tick,
}

/// What a process is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateInfo {
    /// Waits for a CPU.
    Ready,
    /// Has a CPU.
    Running,
    /// Waits: for what, and since when.
    Waiting {
        /// For what, in words.
        what: String,
        /// Since when.
        since: Tick,
    },
    /// Stopped by a signal.
    Stopped,
}

impl StateInfo {
    /// The state in one word.
    pub const fn word(&self) -> &'static str {
        match self {
            StateInfo::Ready => "ready",
            StateInfo::Running => "running",
            StateInfo::Waiting { .. } => "waiting",
            StateInfo::Stopped => "stopped",
        }
    }
}

impl fmt::Display for StateInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateInfo::Waiting { what, .. } => f.write_str(what),
            other => f.write_str(other.word()),
        }
    }
}
