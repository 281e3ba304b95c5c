//! What is counted of a task, or of all: the numbers that metrics are computed from.

use hdrhistogram::Histogram;
use hothouse_abi::{Span, Tick};

use super::job::{Done, UnderWay};
use super::times::Times;

/// Up to this length, a job counts as this long in the bounded slowdown.
///
/// Source: Feitelson 2001, "Metrics for parallel job scheduling and their convergence".
pub const BOUND: Span = Span::from_millis(10);

/// Up to so many values are kept as they are; more become a histogram.
const FEW: usize = 1000;

/// Values with their distribution: the percentiles of many are right to three digits, all else is
/// exact.
#[derive(Clone, Debug)]
pub(super) struct Values {
    digits: u8,
    /// All values, as long as there is no histogram.
    few: Vec<u64>,
    many: Option<Histogram<u32>>,
    count: u64,
    sum: u128,
    max: u64,
}

impl Values {
    /// Where there are many of these, two digits have to do.
    fn new(precise: bool) -> Values {
        let digits = if precise { 3 } else { 2 };
        Values { digits, few: Vec::new(), many: None, count: 0, sum: 0, max: 0 }
    }

    fn add(&mut self, value: u64) {
        self.count += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
        self.place(value);
    }

    fn place(&mut self, value: u64) {
        if self.many.is_none() && self.few.len() < FEW {
            self.few.push(value);
        } else {
            record(self.histogram(), value);
        }
    }

    /// The histogram; the first use takes the values over that there are so far.
    fn histogram(&mut self) -> &mut Histogram<u32> {
        self.many.get_or_insert_with(|| {
            let mut histogram = Histogram::new(self.digits).expect("so many digits are allowed");
            self.few.drain(..).for_each(|value| record(&mut histogram, value));
            histogram
        })
    }

    fn merge(&mut self, other: &Values) {
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
        other.few.iter().for_each(|value| self.place(*value));
        if let Some(histogram) = &other.many {
            self.histogram().add(histogram).expect("the histogram resizes itself");
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// The least value that so many percent of all do not exceed.
    pub(super) fn percentile(&self, percent: f64) -> u64 {
        if let Some(histogram) = &self.many {
            return histogram.value_at_quantile(percent / 100.0).min(self.max);
        }
        let mut sorted = self.few.clone();
        sorted.sort_unstable();
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied().unwrap_or(0)
    }
}

fn record(histogram: &mut Histogram<u32>, value: u64) {
    histogram.record(value).expect("the histogram resizes itself");
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
    pub(super) times: Times,
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
            times: Times::default(),
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
    pub(super) fn ended(&mut self, times: Times, weight: u64) {
        self.times += times;
        let runnable = times.runnable();
        if !runnable.is_zero() {
            let share = times.cpu.nanos() as f64 / weight as f64 / runnable.nanos() as f64;
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
        self.times += other.times;
        self.shares += other.shares;
        self.squares += other.squares;
        self.sharers += other.sharers;
        self.lag = self.lag.max(other.lag);
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
        self.migrations += other.migrations;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_exact_percentiles_and_many_to_three_digits() {
        let mut few = Values::new(true);
        (1..=1000).rev().for_each(|value| few.add(value * 1_000_000));
        let percentiles = [50.0, 90.0, 99.0, 100.0].map(|percent| few.percentile(percent));
        assert_eq!(percentiles, [500, 900, 990, 1000].map(|it| it * 1_000_000));
        let mut many = few.clone();
        (1..=1000).for_each(|value| many.add(value * 1_000_000));
        for (percent, expected) in [(50.0, 500e6), (90.0, 900e6), (99.0, 990e6)] {
            assert!((many.percentile(percent) as f64 / expected - 1.0).abs() < 1e-3, "{percent}");
        }
        assert_eq!((many.count(), many.mean(), many.max()), (2000, 500.5e6, 1_000_000_000));
    }

    #[test]
    fn the_sum_of_two_is_as_if_all_were_in_one() {
        for (first, second) in [(5, 7), (5, 2000), (2000, 5), (2000, 2000), (600, 600)] {
            let values = |from: u64, count: u64| {
                let mut values = Values::new(true);
                (from..from + count).for_each(|value| values.add(value));
                values
            };
            let mut merged = values(0, first);
            merged.merge(&values(first, second));
            let all = values(0, first + second);
            assert_eq!(merged.count(), all.count());
            assert_eq!(merged.mean(), all.mean());
            for percent in [1.0, 50.0, 99.0, 100.0] {
                assert_eq!(merged.percentile(percent), all.percentile(percent));
            }
        }
    }
}
