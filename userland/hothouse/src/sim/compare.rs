//! Several simulations with the same arrivals, held against each other.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use hothouse_abi::Tick;
use serde::Serialize;

use super::parallel::{host_threads, map};
use super::{
    Better, Estimate, Measured, Metrics, Run, Settings, SimError, Simulation, Unit, figures,
};

/// Simulations of one workload that are to be compared, each under the same seeds.
///
/// The draws of a task depend on the seed and the task alone, so that under every candidate the same
/// arrivals come and the same bursts are asked for: common random numbers. What differs between two
/// candidates is compared seed by seed, and the mean of these differences is a result where its 95 %
/// interval excludes zero. Each of these intervals holds for itself: of twenty comparisons of
/// candidates that are alike, one is expected to find a difference.
///
/// Source: Law 2015, "Simulation modeling and analysis", chapters 10 and 11: the paired-t confidence
/// interval, common random numbers.
///
/// ```
/// use hothouse::Span;
/// use hothouse::sim::{Compare, Dist, Simulation, Step, Task, Workload};
///
/// let run = vec![Step::Run(Dist::Exp { mean: Span::from_millis(8) })];
/// let every = Some(Dist::Exp { mean: Span::from_millis(10) });
/// let task = Task { instances: 200, every, ..Task::once("customer", run) };
/// let simulation = Simulation::new(Workload { tasks: vec![task], ..Workload::default() });
///
/// let comparison = Compare::policies(&simulation, ["fifo", "srtf"]).seeds(1..=10).run()?;
/// let turnaround = comparison.row("turnaround mean").unwrap();
/// assert_eq!(turnaround.winner, Some(1), "shortest remaining time first");
/// // Who uses the CPU when does not change how long it is used in all.
/// assert_eq!(comparison.row("makespan").unwrap().winner, None);
/// # Ok::<(), hothouse::sim::SimError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Compare {
    candidates: Vec<(String, Simulation)>,
    seeds: Vec<u64>,
    threads: NonZero<usize>,
    tasks: bool,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What was compared.
    pub candidates: Vec<Candidate>,
    /// The seeds under which each of them ran.
    pub seeds: Vec<u64>,
    /// A row for each figure that is defined in every run of some candidate.
    pub rows: Vec<Row>,
    /// What was odd in some run, or went wrong, each thing once.
    pub warnings: Vec<String>,
    /// How many deadlines were missed in all runs.
    pub misses: u64,
    /// How many jobs were unfinished at the end of all runs.
    pub unfinished: u64,
    /// How many processes failed in all runs.
    pub failed: u64,
    /// In how many runs tasks were deadlocked at the end.
    pub deadlocks: u64,
    /// Why some machine could not go on, of the first such run.
    pub error: Option<String>,
    /// Whether it was broken off; then there are no rows.
    pub interrupted: bool,
}

/// One of those that are compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its machine; the seed is that of the first run.
    pub settings: Settings,
    /// The hash of the trace under each seed.
    pub trace_hashes: Vec<String>,
}

/// A figure under every candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The task; `None`: of all together.
    pub task: Option<String>,
    /// The name of the figure.
    pub figure: String,
    /// What it counts.
    pub unit: Unit,
    /// Which values are good.
    pub better: Better,
    /// The mean over the seeds under each candidate, with its 95 % interval; NaN where the figure is
    /// not defined in every run.
    pub means: Vec<Estimate>,
    /// Each pair of candidates of which both have the figure.
    pub differences: Vec<Difference>,
    /// The candidate that is better than every other one, if there is one.
    pub winner: Option<usize>,
}

/// Two candidates held against each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The number of one candidate.
    pub first: usize,
    /// The number of the other one.
    pub second: usize,
    /// The value of the first less that of the second under the same seed: the mean over the seeds,
    /// with its 95 % interval.
    pub difference: Estimate,
    /// Which of the two is the better one; `None` unless the interval excludes zero.
    pub better: Option<usize>,
}

/// What is kept of a run.
struct Kept {
    metrics: Metrics,
    settings: Settings,
    hash: String,
    warnings: Vec<String>,
    failed: u64,
    deadlocked: bool,
    error: Option<String>,
    interrupted: bool,
}

impl Compare {
    /// Compares these.
    pub fn of(candidates: impl IntoIterator<Item = (impl Into<String>, Simulation)>) -> Compare {
        let candidates = candidates.into_iter().map(|(name, it)| (name.into(), it)).collect();
        Compare { candidates, seeds: vec![0], threads: host_threads(), tasks: false }
    }

    /// Compares a simulation under these policies.
    pub fn policies(
        simulation: &Simulation,
        policies: impl IntoIterator<Item = impl Into<String>>,
    ) -> Compare {
        let candidate = |policy: String| {
            let simulation = simulation.clone().policy(policy.clone());
            (policy, simulation)
        };
        Compare::of(policies.into_iter().map(|policy| candidate(policy.into())))
    }

    /// Under these seeds, each once; 0 alone by default. A single one gives no interval, and so no
    /// verdict.
    #[must_use]
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Compare {
        self.seeds = seeds.into_iter().collect();
        self
    }

    /// On so many threads of the host, by default as many as it has. The result does not depend on
    /// it.
    #[must_use]
    pub fn threads(mut self, threads: NonZero<usize>) -> Compare {
        self.threads = threads;
        self
    }

    /// Whether there are rows for each task too.
    #[must_use]
    pub fn tasks(mut self, tasks: bool) -> Compare {
        self.tasks = tasks;
        self
    }

    /// How many runs it takes.
    pub fn runs(&self) -> usize {
        self.candidates.len() * self.seeds.len()
    }

    /// Runs all.
    ///
    /// # Errors
    ///
    /// Those of [`Simulation::run`].
    pub fn run(&self) -> Result<Comparison, SimError> {
        self.run_watched(&|_| true)
    }

    /// Runs all, and tells `watch` now and then how many runs are over. Where it says `false`, all
    /// is broken off.
    ///
    /// # Errors
    ///
    /// Those of [`Simulation::run`].
    pub fn run_watched(
        &self,
        watch: &(dyn Fn(usize) -> bool + Sync),
    ) -> Result<Comparison, SimError> {
        for (_, simulation) in &self.candidates {
            simulation.check()?;
        }
        let over = AtomicUsize::new(0);
        let go_on = |_: Tick| watch(over.load(Ordering::Relaxed));
        let runs = map(self.runs(), self.threads, |index| {
            let (_, simulation) = &self.candidates[index / self.seeds.len()];
            let seed = self.seeds[index % self.seeds.len()];
            let run = simulation.clone().seed(seed).run_watched(&mut { go_on })?;
            over.fetch_add(1, Ordering::Relaxed);
            Ok(Kept::of(run))
        });
        let runs = runs.into_iter().collect::<Result<Vec<_>, SimError>>()?;
        Ok(self.result(&runs))
    }

    fn result(&self, runs: &[Kept]) -> Comparison {
        let by_candidate: Vec<&[Kept]> = runs.chunks(self.seeds.len().max(1)).collect();
        let candidate = |((name, _), runs): (&(String, Simulation), &&[Kept])| Candidate {
            name: name.clone(),
            settings: runs[0].settings.clone(),
            trace_hashes: runs.iter().map(|run| run.hash.clone()).collect(),
        };
        let interrupted = runs.iter().any(|run| run.interrupted);
        let rows = if interrupted { Vec::new() } else { self.rows(&by_candidate) };
        Comparison {
            candidates: self.candidates.iter().zip(&by_candidate).map(candidate).collect(),
            seeds: self.seeds.clone(),
            rows,
            warnings: self.warnings(&by_candidate),
            misses: runs.iter().map(|run| run.metrics.machine.measured.misses).sum(),
            unfinished: runs.iter().map(|run| run.metrics.machine.measured.unfinished).sum(),
            failed: runs.iter().map(|run| run.failed).sum(),
            deadlocks: runs.iter().map(|run| u64::from(run.deadlocked)).sum(),
            error: runs.iter().find_map(|run| run.error.clone()),
            interrupted,
        }
    }

    /// Each warning once, with the candidates that it is about unless it is about all.
    fn warnings(&self, runs: &[&[Kept]]) -> Vec<String> {
        let mut found: Vec<(&String, Vec<&str>)> = Vec::new();
        for ((name, _), runs) in self.candidates.iter().zip(runs) {
            for warning in runs.iter().flat_map(|run| &run.warnings) {
                match found.iter_mut().find(|(known, _)| *known == warning) {
                    Some((_, names)) if names.last() == Some(&name.as_str()) => {}
                    Some((_, names)) => names.push(name),
                    None => found.push((warning, vec![name])),
                }
            }
        }
        let told = |(warning, names): (&String, Vec<&str>)| {
            if names.len() == self.candidates.len() {
                warning.clone()
            } else {
                format!("under {}: {warning}", names.join(", "))
            }
        };
        found.into_iter().map(told).collect()
    }

    fn rows(&self, runs: &[&[Kept]]) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut add = |task: Option<usize>, name: &str, unit, better, get: Get<'_>| {
            let values = |runs: &&[Kept]| runs.iter().map(|run| get(&run.metrics)).collect();
            let values: Vec<Option<Vec<f64>>> = runs.iter().map(values).collect();
            let task =
                task.and_then(|task| Some(runs.first()?[0].metrics.tasks[task].name.clone()));
            if values.iter().any(Option::is_some) {
                rows.push(Row::new(task, name, unit, better, &values));
            }
        };
        let figures = figures();
        for figure in &figures {
            let get = |metrics: &Metrics| figure.of(&metrics.machine.measured);
            add(None, &figure.name, figure.unit, figure.better, &get);
        }
        add(None, "utilisation", Unit::Ratio, Better::Neither, &|it| Some(it.machine.utilisation));
        let overhead = |it: &Metrics| Some(it.machine.switch_overhead);
        add(None, "switch overhead", Unit::Ratio, Better::Lower, &overhead);
        let tasks =
            runs.first().filter(|_| self.tasks).map_or(0, |runs| runs[0].metrics.tasks.len());
        for task in 0..tasks {
            for figure in &figures {
                let measured = |it: &Metrics| -> Option<f64> {
                    let measured: &Measured = &it.tasks.get(task)?.measured;
                    figure.of(measured)
                };
                add(Some(task), &figure.name, figure.unit, figure.better, &measured);
            }
        }
        rows
    }
}

type Get<'a> = &'a dyn Fn(&Metrics) -> Option<f64>;

impl Comparison {
    /// The row of a figure, of all tasks together.
    pub fn row(&self, figure: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.task.is_none() && row.figure == figure)
    }
}

impl Row {
    fn new(
        task: Option<String>,
        figure: &str,
        unit: Unit,
        better: Better,
        values: &[Option<Vec<f64>>],
    ) -> Row {
        let count = values.len();
        let pairs = (0..count).flat_map(|first| (first + 1..count).map(move |it| (first, it)));
        let differences: Vec<Difference> =
            pairs.filter_map(|pair| Difference::new(better, values, pair)).collect();
        let beats = |one: usize, other: usize| {
            let pair = (one.min(other), one.max(other));
            differences.iter().any(|it| (it.first, it.second) == pair && it.better == Some(one))
        };
        let beats_all = |one: &usize| (0..count).all(|other| other == *one || beats(*one, other));
        let winner = (0..count).find(beats_all).filter(|_| count > 1);
        let mean = |values: &Option<Vec<f64>>| Estimate::of(values.as_deref().unwrap_or_default());
        let means = values.iter().map(mean).collect();
        let figure = figure.to_owned();
        Row { task, figure, unit, better, means, differences, winner }
    }
}

impl Difference {
    fn new(
        better: Better,
        values: &[Option<Vec<f64>>],
        (first, second): (usize, usize),
    ) -> Option<Difference> {
        let pairs = values[first].as_ref()?.iter().zip(values[second].as_ref()?);
        let differences: Vec<f64> = pairs.map(|(a, b)| subtract(*a, *b)).collect();
        let difference = Estimate::of(&differences);
        let lower = if difference.mean < 0.0 { first } else { second };
        let better = match better {
            Better::Lower => Some(lower),
            Better::Higher => Some(first + second - lower),
            Better::Neither => None,
        };
        let better = better.filter(|_| difference.excludes_zero());
        Some(Difference { first, second, difference, better })
    }
}

/// The difference, where it is more than a rounding error.
fn subtract(a: f64, b: f64) -> f64 {
    let difference = a - b;
    if difference.abs() <= 1e-9 * a.abs().max(b.abs()) { 0.0 } else { difference }
}

impl Kept {
    fn of(run: Run) -> Kept {
        let mut warnings = run.warnings;
        let deadlocked = run.deadlock.is_some();
        warnings.extend(run.failures);
        warnings.extend(run.deadlock.map(|deadlock| deadlock.to_string()));
        Kept {
            metrics: run.metrics,
            settings: run.settings,
            hash: format!("{:016x}", run.report.hash.unwrap_or_default()),
            warnings,
            failed: run.failed,
            deadlocked,
            error: run.error,
            interrupted: run.interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(better: Better, values: &[&[f64]]) -> Row {
        let values: Vec<_> = values.iter().map(|values| Some(values.to_vec())).collect();
        Row::new(None, "x", Unit::Ratio, better, &values)
    }

    #[test]
    fn a_verdict_needs_an_interval_without_zero() {
        // The values vary much from seed to seed, the differences do not.
        let clear = row(Better::Lower, &[&[1.0, 20.0, 5.0], &[1.5, 20.4, 5.6]]);
        assert_eq!(clear.winner, Some(0));
        assert_eq!(clear.differences[0].better, Some(0));
        assert!((clear.differences[0].difference.mean + 0.5).abs() < 1e-12);
        let open = row(Better::Lower, &[&[1.0, 20.0, 5.0], &[1.5, 19.4, 5.6]]);
        assert_eq!((open.winner, open.differences[0].better), (None, None));
        let single = row(Better::Lower, &[&[1.0], &[9.0]]);
        assert_eq!((single.winner, single.differences[0].better), (None, None));
    }

    #[test]
    fn the_direction_of_the_figure_decides() {
        let values: [&[f64]; 2] = [&[1.0, 2.0], &[2.0, 3.0]];
        assert_eq!(row(Better::Lower, &values).winner, Some(0));
        assert_eq!(row(Better::Higher, &values).winner, Some(1));
        assert_eq!(row(Better::Neither, &values).winner, None);
    }

    #[test]
    fn a_winner_is_better_than_every_other_one() {
        let three: [&[f64]; 3] = [&[3.0, 4.0], &[1.0, 2.0], &[2.0, 3.0]];
        assert_eq!(row(Better::Lower, &three).winner, Some(1));
        let tie: [&[f64]; 3] = [&[3.0, 4.0], &[1.0, 2.0], &[1.0, 2.0]];
        let tie = row(Better::Lower, &tie);
        assert_eq!(tie.winner, None);
        assert_eq!(tie.differences.iter().filter(|it| it.better.is_some()).count(), 2);
    }

    #[test]
    fn who_lacks_the_figure_is_in_no_pair() {
        let values = [None, Some(vec![1.0, 2.0]), Some(vec![2.0, 3.0])];
        let row = Row::new(None, "x", Unit::Ratio, Better::Lower, &values);
        assert!(row.means[0].mean.is_nan());
        let pairs: Vec<_> = row.differences.iter().map(|it| (it.first, it.second)).collect();
        assert_eq!((pairs, row.winner), (vec![(1, 2)], None));
    }

    #[test]
    fn rounding_errors_are_no_difference() {
        let close = row(Better::Lower, &[&[0.1 + 0.2, 1.0], &[0.3, 1.0 + 1e-15]]);
        assert_eq!((close.winner, close.differences[0].difference.mean), (None, 0.0));
    }
}
