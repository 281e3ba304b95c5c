//! What a machine has counted, and what it holds.

use hothouse_abi::{Pid, Span};

use super::Machine;

/// What happened in a run, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Traps made.
    pub traps: u64,
    /// Events sent to live processes.
    pub events: u64,
    /// Events sent to processes that were not there.
    pub dead_letters: u64,
    /// Signals sent.
    pub signals: u64,
    /// Processes started.
    pub spawned: u64,
    /// Processes ended.
    pub ended: u64,
    /// Times that a process was given a CPU, however short.
    pub dispatches: u64,
    /// Times that a CPU's time went to another process than before.
    pub switches: u64,
    /// Times that a process used a CPU other than the last.
    pub migrations: u64,
    /// Times that a wake-up took a CPU from a process.
    pub preemptions: u64,
    /// Stacks given up, with a fault or an unwinding that did not end.
    pub abandoned: u64,
    /// Actions from outside that failed, such as a signal to nobody.
    pub failed_actions: u64,
    /// Faults injected on purpose.
    pub injected: u64,
    /// Steps of the machine.
    pub steps: u64,
}

/// What the time of one CPU went into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuReport {
    /// Bursts of processes.
    pub busy: Span,
    /// Switches and migrations.
    pub overhead: Span,
}

/// What a machine holds. After a run in which everything ended, all is 0 but the abandoned stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Process records.
    pub processes: usize,
    /// Exit records that no parent has read.
    pub unread: usize,
    /// Events in mailboxes.
    pub events: usize,
    /// Armed timers, deadlines of waits and actions to come included.
    pub timers: usize,
    /// Service names.
    pub names: usize,
    /// Locks.
    pub locks: usize,
    /// Processes in the policy's queue.
    pub ready: usize,
    /// Stacks in use.
    pub stacks: usize,
}

impl Machine {
    /// Whether a process has lived and is no more.
    pub(crate) fn is_over(&self, pid: Pid) -> bool {
        pid.number() <= self.counters.spawned && self.table.find(pid).is_none()
    }

    /// Counts what is held, stacks excepted.
    pub(crate) fn held(&self) -> Held {
        let pids = self.table.pids();
        let keys = pids.iter().filter_map(|&pid| self.table.find(pid));
        Held {
            processes: self.table.len(),
            unread: self.unread,
            events: keys.map(|key| self.table[key].mailbox.len()).sum(),
            timers: self.timer_count(),
            names: self.name_count(),
            locks: self.lock_count(),
            ready: self.ready,
            stacks: 0,
        }
    }
}
