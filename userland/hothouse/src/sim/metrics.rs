//! The metrics of a simulation.

use hothouse_abi::{Span, Tick};
use hothouse_kernel::CpuReport;
use serde::Serialize;

use super::meter::Books;
use super::tally::{Tally, Values};

/// All metrics of a run: of each task, and of the machine as a whole.
///
/// For a job: arrival a (its release), first dispatch s (the first moment at which it uses a CPU),
/// completion f, CPU time c, absolute deadline d. Times are in nanoseconds. A dispatch that uses no
/// time counts for nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// How long the run was, in virtual time.
    pub elapsed_ns: u64,
    /// Those of each task, in the order of the workload.
    pub tasks: Vec<TaskMetrics>,
    /// Those of all together.
    pub machine: MachineMetrics,
}

/// The metrics of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskMetrics {
    /// Its name.
    pub name: String,
    /// All that is measured of its jobs and processes.
    #[serde(flatten)]
    pub measured: Measured,
}

/// The metrics of the machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MachineMetrics {
    /// The part of all CPUs' time that was used by processes.
    pub utilisation: f64,
    /// The same of each CPU.
    pub cpu_utilisation: Vec<f64>,
    /// What switches and migrations took of the CPUs' time.
    pub switch_overhead: f64,
    /// Little's law, which holds without error.
    pub little: Little,
    /// All that is measured of all jobs and processes.
    #[serde(flatten)]
    pub measured: Measured,
}

/// The three terms of Little's law: the mean number of jobs in the system is their rate of arrival
/// times their mean time in it.
///
/// Source: Little 1961, "A proof for the queuing formula L = λW".
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Little {
    /// L: the integral of the number of jobs over time, by the time.
    pub mean_jobs: f64,
    /// λ: jobs released, each second.
    pub arrivals_per_s: f64,
    /// W: the sum of their times in the system, those of unfinished ones until the end included,
    /// by their number.
    pub mean_time_ns: f64,
}

/// What is measured of jobs and processes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// How many processes there were.
    pub processes: u64,
    /// How many jobs were done.
    pub jobs: u64,
    /// How many were not, by the end of the run or of their process.
    pub unfinished: u64,
    /// f - a. Real-time papers call it response time.
    pub turnaround: Option<Latency>,
    /// s - a.
    pub first_run_latency: Option<Latency>,
    /// Time ready but not running: f - a less the time that it ran, was blocked or stopped, and
    /// less what switches to it took.
    pub waiting: Option<Latency>,
    /// From each wake-up to the first use of a CPU after it.
    pub wake_up_latency: Option<Latency>,
    /// (f - a) / c.
    pub slowdown: Option<Ratio>,
    /// max(1, (waiting + c) / max(c, [`BOUND`](super::BOUND))).
    pub bounded_slowdown: Option<Ratio>,
    /// f - d.
    pub lateness: Option<Lateness>,
    /// max(0, f - d).
    pub tardiness: Option<Latency>,
    /// How many jobs missed their deadline: done too late, or not at all though d came before the
    /// end of the run.
    pub misses: u64,
    /// Misses over the jobs whose deadline counts: those that are done, and those missed.
    pub miss_ratio: Option<f64>,
    /// Jobs done each second.
    pub throughput_per_s: f64,
    /// The last f less the first a.
    pub makespan_ns: Option<u64>,
    /// Jain's index over processes, of CPU time by weight over the time each was runnable.
    pub fairness: Option<f64>,
    /// The worst absolute lag: weight x (V - v), since the process became runnable.
    pub lag_ns: u64,
    /// Switches to another process by one that gave its CPU up.
    pub voluntary_switches: u64,
    /// Switches to another process by one that was preempted or whose slice ended.
    pub involuntary_switches: u64,
    /// How often a process ran on another CPU than before.
    pub migrations: u64,
    /// What the lifetime of the processes consists of: CPU time,
    pub cpu_time_ns: u64,
    /// the time that switches and migrations took of it,
    pub overhead_ns: u64,
    /// time ready without a CPU,
    pub ready_ns: u64,
    /// time blocked,
    pub blocked_ns: u64,
    /// and time stopped.
    pub stopped_ns: u64,
}

/// A distribution of times, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// The mean, without error.
    pub mean_ns: f64,
    /// The median.
    pub p50_ns: u64,
    /// The 90th percentile.
    pub p90_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The longest, without error.
    pub max_ns: u64,
}

/// A distribution of ratios.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

/// How late jobs were done; below zero: early.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Lateness {
    /// The mean.
    pub mean_ns: f64,
    /// The latest.
    pub max_ns: i64,
}

impl Latency {
    fn of(values: &Values) -> Option<Latency> {
        (values.count() > 0).then(|| Latency {
            mean_ns: values.mean(),
            p50_ns: values.percentile(50.0),
            p90_ns: values.percentile(90.0),
            p99_ns: values.percentile(99.0),
            max_ns: values.max(),
        })
    }
}

impl Ratio {
    fn of(thousandths: &Values) -> Option<Ratio> {
        let percentile = |percent| thousandths.percentile(percent) as f64 / 1000.0;
        (thousandths.count() > 0).then(|| Ratio {
            mean: thousandths.mean() / 1000.0,
            p50: percentile(50.0),
            p90: percentile(90.0),
            p99: percentile(99.0),
            max: thousandths.max() as f64 / 1000.0,
        })
    }
}

impl Measured {
    fn of(tally: &Tally, elapsed: Span) -> Measured {
        let done = tally.turnaround.count();
        let seconds = elapsed.as_secs_f64();
        let ends = tally.last_finish.zip(tally.first_release);
        Measured {
            processes: tally.processes,
            jobs: done,
            unfinished: tally.unfinished,
            turnaround: Latency::of(&tally.turnaround),
            first_run_latency: Latency::of(&tally.first_run),
            waiting: Latency::of(&tally.waiting),
            wake_up_latency: Latency::of(&tally.wake_up),
            slowdown: Ratio::of(&tally.slowdown),
            bounded_slowdown: Ratio::of(&tally.bounded_slowdown),
            lateness: tally.lateness().map(|(mean_ns, max_ns)| Lateness { mean_ns, max_ns }),
            tardiness: Latency::of(&tally.tardiness),
            misses: tally.missed,
            miss_ratio: tally.miss_ratio(),
            throughput_per_s: if seconds > 0.0 { done as f64 / seconds } else { 0.0 },
            makespan_ns: ends.map(|(last, first)| (last - first).nanos()),
            fairness: tally.fairness(),
            lag_ns: tally.lag,
            voluntary_switches: tally.voluntary,
            involuntary_switches: tally.involuntary,
            migrations: tally.migrations,
            cpu_time_ns: tally.times.cpu.nanos(),
            overhead_ns: tally.times.overhead.nanos(),
            ready_ns: tally.times.ready.nanos(),
            blocked_ns: tally.times.blocked.nanos(),
            stopped_ns: tally.times.stopped.nanos(),
        }
    }
}

impl Metrics {
    /// The metrics of what was measured until `now`, when it was finished.
    pub(super) fn of(books: &Books, names: &[String], cpus: &[CpuReport], now: Tick) -> Metrics {
        let elapsed = now - Tick::ZERO;
        let mut all = Tally::new(books.tallies.len() <= 100);
        books.tallies.iter().for_each(|tally| all.merge(tally));
        let part = |span: Span| {
            let elapsed = elapsed.nanos();
            if elapsed == 0 { 0.0 } else { span.nanos() as f64 / elapsed as f64 }
        };
        let count = cpus.len() as f64;
        let cpu_utilisation: Vec<f64> = cpus.iter().map(|cpu| part(cpu.busy)).collect();
        let task = |(name, tally): (&String, &Tally)| TaskMetrics {
            name: name.clone(),
            measured: Measured::of(tally, elapsed),
        };
        let seconds = elapsed.as_secs_f64();
        let per_second = |value: f64| if seconds > 0.0 { value / seconds } else { 0.0 };
        let times = books.times_in_system as f64;
        let little = Little {
            mean_jobs: per_second(books.area as f64 / 1e9),
            arrivals_per_s: per_second(books.released as f64),
            mean_time_ns: if books.released > 0 { times / books.released as f64 } else { 0.0 },
        };
        Metrics {
            elapsed_ns: elapsed.nanos(),
            tasks: names.iter().zip(&books.tallies).map(task).collect(),
            machine: MachineMetrics {
                utilisation: cpu_utilisation.iter().sum::<f64>() / count,
                cpu_utilisation,
                switch_overhead: cpus.iter().map(|cpu| part(cpu.overhead)).sum::<f64>() / count,
                little,
                measured: Measured::of(&all, elapsed),
            },
        }
    }

    /// The metrics of a task, by its name.
    pub fn task(&self, name: &str) -> Option<&Measured> {
        self.tasks.iter().find(|task| task.name == name).map(|task| &task.measured)
    }
}
