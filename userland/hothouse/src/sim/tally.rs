//! What is counted of a task, or of all: the numbers that metrics are computed from.

use hdrhistogram::Histogram;
use hothouse_abi::{Span, Tick};

use super::job::{Done, UnderWay};

/// Up to this length, a job counts as this long in the bounded slowdown.
///
/// Source: Feitelson 2001, "Metrics for parallel job scheduling and their convergence".
pub const BOUND: Span = Span::from_millis(10);

/// Values with their distribution: percentiles from a histogram, sums without error.
#[derive(Clone, Debug)]
pub(super) struct Values {
    histogram: Histogram<u32>,
    sum: u128,
    max: u64,
}

impl Values {
    fn new(precise: bool) -> Values {
        let digits = if precise { 3 } else { 2 };
        let histogram = Histogram::new(digits).expect("so many digits are allowed");
        Values { histogram, sum: 0, max: 0 }
    }

    fn add(&mut self, value: u64) {
        self.histogram.saturating_record(value);
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    fn merge(&mut self, other: &Values) {
        self.histogram.add(&other.histogram).expect("the histogram resizes itself");
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    pub(super) fn count(&self) -> u64 {
        self.histogram.len()
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / self.count() as f64
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    pub(super) fn percentile(&self, percent: f64) -> u64 {
        self.histogram.value_at_quantile(percent / 100.0).min(self.max)
    }
}

/// All that is counted.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) processes: u64,
    pub(super) unfinished: u64,
    pub(super) turnaround: Values,
    pub(super) first_run: Values,
    pub(super) waiting: Values,
    pub(super) wake_up: Values,
    pub(super) tardiness: Values,
    /// In thousandths.
    pub(super) slowdown: Values,
    pub(super) bounded_slowdown: Values,
    lateness_sum: i128,
    lateness_max: Option<i64>,
    /// Jobs with a deadline that are done, or whose deadline has passed.
    pub(super) due: u64,
    pub(super) missed: u64,
    pub(super) first_release: Option<Tick>,
    pub(super) last_finish: Option<Tick>,
    pub(super) cpu: Span,
    pub(super) overhead: Span,
    pub(super) runnable: Span,
    pub(super) blocked: Span,
    pub(super) stopped: Span,
    /// The sums of the shares of processes and of their squares, and how many these are.
    shares: f64,
    squares: f64,
    sharers: u64,
    pub(super) lag: u64,
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
    pub(super) migrations: u64,
}

impl Tally {
    pub(super) fn new(precise: bool) -> Tally {
        let values = || Values::new(precise);
        Tally {
            processes: 0,
            unfinished: 0,
            turnaround: values(),
            first_run: values(),
            waiting: values(),
            wake_up: values(),
            tardiness: values(),
            slowdown: values(),
            bounded_slowdown: values(),
            lateness_sum: 0,
            lateness_max: None,
            due: 0,
            missed: 0,
            first_release: None,
            last_finish: None,
            cpu: Span::ZERO,
            overhead: Span::ZERO,
            runnable: Span::ZERO,
            blocked: Span::ZERO,
            stopped: Span::ZERO,
            shares: 0.0,
            squares: 0.0,
            sharers: 0,
            lag: 0,
            voluntary: 0,
            involuntary: 0,
            migrations: 0,
        }
    }

    pub(super) fn woke(&mut self, latency: Span) {
        self.wake_up.add(latency.nanos());
    }

    pub(super) fn done(&mut self, job: &Done) {
        let turnaround = job.turnaround();
        self.note_release(job.release);
        self.last_finish = self.last_finish.max(Some(job.finish));
        self.turnaround.add(turnaround.nanos());
        self.waiting.add(job.waiting.nanos());
        if let Some(first) = job.first_run {
            self.first_run.add((first - job.release).nanos());
        }
        if !job.cpu.is_zero() {
            self.slowdown.add(thousandths(turnaround.nanos(), job.cpu.nanos()));
        }
        let needed = job.waiting.nanos() + job.cpu.nanos();
        let length = job.cpu.max(BOUND).nanos();
        self.bounded_slowdown.add(thousandths(needed, length).max(1000));
        if let Some(deadline) = job.deadline {
            self.due(deadline, job.finish);
        }
    }

    /// A job that did not get done, until the end of the run or of its process.
    pub(super) fn unfinished(&mut self, job: &UnderWay, end: Tick) {
        self.unfinished += 1;
        self.note_release(job.release);
        if job.deadline < end {
            self.due += 1;
            self.missed += 1;
        }
    }

    fn note_release(&mut self, release: Tick) {
        self.first_release = Some(self.first_release.map_or(release, |first| first.min(release)));
    }

    fn due(&mut self, deadline: Tick, finish: Tick) {
        let lateness = i128::from(finish.nanos()) - i128::from(deadline.nanos());
        self.due += 1;
        self.missed += u64::from(lateness > 0);
        self.lateness_sum += lateness;
        let lateness = i64::try_from(lateness).unwrap_or(i64::MAX);
        self.lateness_max = Some(self.lateness_max.map_or(lateness, |max| max.max(lateness)));
        self.tardiness.add((finish - deadline).nanos());
    }

    /// A process ended, or the run did.
    pub(super) fn ended(&mut self, cpu: Span, runnable: Span, weight: u64) {
        self.runnable += runnable;
        if !runnable.is_zero() {
            let share = cpu.nanos() as f64 / weight as f64 / runnable.nanos() as f64;
            self.shares += share;
            self.squares += share * share;
            self.sharers += 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Tally) {
        self.processes += other.processes;
        self.unfinished += other.unfinished;
        self.turnaround.merge(&other.turnaround);
        self.first_run.merge(&other.first_run);
        self.waiting.merge(&other.waiting);
        self.wake_up.merge(&other.wake_up);
        self.tardiness.merge(&other.tardiness);
        self.slowdown.merge(&other.slowdown);
        self.bounded_slowdown.merge(&other.bounded_slowdown);
        self.lateness_sum += other.lateness_sum;
        self.lateness_max = self.lateness_max.max(other.lateness_max);
        self.due += other.due;
        self.missed += other.missed;
        other.first_release.into_iter().for_each(|release| self.note_release(release));
        self.last_finish = self.last_finish.max(other.last_finish);
        self.cpu += other.cpu;
        self.overhead += other.overhead;
        self.runnable += other.runnable;
        self.blocked += other.blocked;
        self.stopped += other.stopped;
        self.shares += other.shares;
        self.squares += other.squares;
        self.sharers += other.sharers;
        self.lag = self.lag.max(other.lag);
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
        self.migrations += other.migrations;
    }

    /// Time ready without a CPU.
    pub(super) fn ready(&self) -> Span {
        Span::from_nanos(self.runnable.nanos() - self.cpu.nanos() - self.overhead.nanos())
    }

    /// The mean and the worst lateness of the jobs that are done, in nanoseconds.
    pub(super) fn lateness(&self) -> Option<(f64, i64)> {
        let max = self.lateness_max?;
        Some((self.lateness_sum as f64 / self.tardiness.count() as f64, max))
    }

    pub(super) fn miss_ratio(&self) -> Option<f64> {
        (self.due > 0).then(|| self.missed as f64 / self.due as f64)
    }

    /// Jain's index.
    pub(super) fn fairness(&self) -> Option<f64> {
        let index = self.shares * self.shares / (self.sharers as f64 * self.squares);
        (self.squares > 0.0).then_some(index)
    }
}

fn thousandths(dividend: u64, divisor: u64) -> u64 {
    let quotient = u128::from(dividend) * 1000 / u128::from(divisor.max(1));
    u64::try_from(quotient).unwrap_or(u64::MAX)
}
