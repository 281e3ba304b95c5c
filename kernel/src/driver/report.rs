//! What a run came to.

use std::fmt;

use hothouse_abi::{Exit, Pid, ProcessInfo, Span, Tick};

use crate::error::RunError;
use crate::machine::{Counters, CpuReport, Deadlock, Held};

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// The process that was waited for has ended, or no process is left.
    Done,
    /// Only waiting processes are left, and pid 1 is not among them.
    Idle,
    /// Nobody can ever run again while pid 1 lives.
    Deadlock(Deadlock),
    /// The time limit or the stop condition of the host was met.
    Stopped,
    /// The host interrupted the run.
    Interrupted,
    /// The run could not go on.
    Failed(RunError),
}

impl End {
    /// The end in one word.
    pub const fn word(&self) -> &'static str {
        match self {
            End::Done => "done",
            End::Idle => "idle",
            End::Deadlock(_) => "deadlock",
            End::Stopped => "stopped",
            End::Interrupted => "interrupted",
            End::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Deadlock(deadlock) => deadlock.fmt(f),
            End::Failed(error) => error.fmt(f),
            other => f.write_str(other.word()),
        }
    }
}

/// What a run came to so far.
#[derive(Clone, Debug)]
pub struct Report {
    /// The virtual time.
    pub now: Tick,
    /// The seed.
    pub seed: u64,
    /// The policy with its parameters.
    pub policy: String,
    /// What happened, in numbers.
    pub counters: Counters,
    /// What each CPU's time went into.
    pub cpus: Vec<CpuReport>,
    /// The exit records of processes started from outside and of orphans, oldest first.
    pub records: Vec<Exit>,
    /// The live processes, in order of pid.
    pub processes: Vec<ProcessInfo>,
    /// The hash of the trace, if it was asked for.
    pub hash: Option<u64>,
    /// Why the run may not repeat, if a program did something of the kind.
    pub unrepeatable: Option<String>,
    /// What the machine still holds.
    pub held: Held,
}

impl Report {
    /// The exit record of a process started from outside.
    pub fn exit(&self, pid: Pid) -> Option<&Exit> {
        self.records.iter().find(|exit| exit.pid == pid)
    }

    /// The part of all CPUs' time that went into bursts, from 0 to 1.
    pub fn utilisation(&self) -> f64 {
        let busy: u64 = self.cpus.iter().map(|cpu| cpu.busy.nanos()).sum();
        let elapsed = self.now - Tick::ZERO;
        if elapsed == Span::ZERO {
            return 0.0;
        }
        busy as f64 / (elapsed.nanos() as f64 * self.cpus.len() as f64)
    }
}
