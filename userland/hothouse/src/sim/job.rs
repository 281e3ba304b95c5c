//! One job: what happened to it from its release on.

use hothouse_abi::{Span, Tick};
use serde::Serialize;

/// A job in the system.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    pub(super) release: Tick,
    /// The end of time if it has none.
    pub(super) deadline: Tick,
    /// Whether it is the job that a process is which never began one.
    pub(super) implied: bool,
    pub(super) first_run: Option<Tick>,
    pub(super) cpu: Span,
    overhead: Span,
    /// How long it was blocked or stopped.
    pub(super) away: Span,
}

impl UnderWay {
    pub(super) fn new(release: Tick, deadline: Tick, implied: bool) -> UnderWay {
        let (cpu, overhead, away) = (Span::ZERO, Span::ZERO, Span::ZERO);
        UnderWay { release, deadline, implied, first_run: None, cpu, overhead, away }
    }

    /// It was served for `ran`, from `began` on.
    pub(super) fn served(&mut self, ran: Span, overhead: Span, began: Tick) {
        self.cpu += ran;
        self.overhead += overhead;
        if !ran.is_zero() {
            self.first_run.get_or_insert(began);
        }
    }
}

/// A job that is done, with what the metrics define.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) release: Tick,
    pub(super) finish: Tick,
    pub(super) deadline: Option<Tick>,
    pub(super) first_run: Option<Tick>,
    pub(super) cpu: Span,
    pub(super) waiting: Span,
}

impl Done {
    pub(super) fn new(job: &UnderWay, finish: Tick) -> Done {
        let used = job.cpu.nanos() + job.overhead.nanos() + job.away.nanos();
        let waiting = (finish - job.release).nanos().saturating_sub(used);
        Done {
            release: job.release,
            finish,
            deadline: Some(job.deadline).filter(|&deadline| deadline < Tick::MAX),
            first_run: job.first_run,
            cpu: job.cpu,
            waiting: Span::from_nanos(waiting),
        }
    }

    pub(super) fn turnaround(&self) -> Span {
        self.finish - self.release
    }
}

/// One job, as [`Simulation::keep_jobs`](super::Simulation::keep_jobs) asks for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRecord {
    /// The name of its process.
    pub process: String,
    /// When it was released, in nanoseconds after boot.
    pub release_ns: u64,
    /// When it first used a CPU.
    pub first_run_ns: Option<u64>,
    /// When it was done.
    pub finish_ns: u64,
    /// When it was to be done.
    pub deadline_ns: Option<u64>,
    /// The CPU time that it used.
    pub cpu_time_ns: u64,
    /// How long it was ready without running.
    pub waiting_ns: u64,
}

impl JobRecord {
    pub(super) fn new(process: &str, done: &Done) -> JobRecord {
        JobRecord {
            process: process.to_owned(),
            release_ns: done.release.nanos(),
            first_run_ns: done.first_run.map(Tick::nanos),
            finish_ns: done.finish.nanos(),
            deadline_ns: done.deadline.map(Tick::nanos),
            cpu_time_ns: done.cpu.nanos(),
            waiting_ns: done.waiting.nanos(),
        }
    }
}
