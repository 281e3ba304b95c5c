//! The metrics one by one, as columns of a table and as rows of a comparison.

use serde::Serialize;

use super::{Latency, Measured, Ratio};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// A number without a unit.
    Ratio,
    /// How many.
    Count,
    /// How many each second.
    PerSecond,
}

/// Which of two values is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
    /// Neither: the figure says something of the workload, or of the price of something else.
    Neither,
}

type Get = dyn Fn(&Measured) -> Option<f64> + Send + Sync;

/// A part of a distribution, and how to take it.
type Part<D> = (&'static str, fn(D) -> f64);

/// One number of the metrics.
pub struct Figure {
    /// Its name: that of the metric, and what is taken of its distribution.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// Which values are good.
    pub better: Better,
    get: Box<Get>,
}

impl Figure {
    /// Its value, if it is defined: a run without deadlines has no lateness.
    pub fn of(&self, measured: &Measured) -> Option<f64> {
        (self.get)(measured)
    }

    /// Its name as the column of a table for machines: with underlines, and the unit.
    pub fn column(&self) -> String {
        let suffix = match self.unit {
            Unit::Nanoseconds => "_ns",
            Unit::PerSecond => "_per_s",
            Unit::Ratio | Unit::Count => "",
        };
        format!("{}{suffix}", self.name.replace([' ', '-'], "_"))
    }
}

/// All of them, in the order in which they are defined in [`Measured`].
///
/// ```
/// use hothouse::sim::{Better, figures};
/// let figures = figures();
/// assert_eq!(figures[3].column(), "turnaround_mean_ns");
/// assert_eq!(figures[3].better, Better::Lower);
/// ```
pub fn figures() -> Vec<Figure> {
    use Better::{Higher, Lower, Neither};
    use Unit::{Nanoseconds, PerSecond};
    let mut list = List(Vec::new());
    list.count("processes", Neither, |it| it.processes);
    list.count("jobs", Neither, |it| it.jobs);
    list.count("unfinished", Lower, |it| it.unfinished);
    list.latency("turnaround", |it| it.turnaround);
    list.latency("first-run latency", |it| it.first_run_latency);
    list.latency("waiting", |it| it.waiting);
    list.latency("wake-up latency", |it| it.wake_up_latency);
    list.ratio("slowdown", |it| it.slowdown);
    list.ratio("bounded slowdown", |it| it.bounded_slowdown);
    list.add("lateness mean", Nanoseconds, Lower, |it| it.lateness.map(|late| late.mean_ns));
    list.add("lateness max", Nanoseconds, Lower, |it| it.lateness.map(|late| late.max_ns as f64));
    list.latency("tardiness", |it| it.tardiness);
    list.count("misses", Lower, |it| it.misses);
    list.add("miss ratio", Unit::Ratio, Lower, |it| it.miss_ratio);
    list.add("throughput", PerSecond, Higher, |it| Some(it.throughput_per_s));
    list.add("makespan", Nanoseconds, Lower, |it| it.makespan_ns.map(|nanos| nanos as f64));
    list.add("fairness", Unit::Ratio, Higher, |it| it.fairness);
    list.add("lag", Nanoseconds, Lower, |it| Some(it.lag_ns as f64));
    list.count("voluntary switches", Neither, |it| it.voluntary_switches);
    list.count("involuntary switches", Lower, |it| it.involuntary_switches);
    list.count("migrations", Lower, |it| it.migrations);
    for (name, get) in [
        ("cpu time", (|it| it.cpu_time_ns) as fn(&Measured) -> u64),
        ("overhead", |it| it.overhead_ns),
        ("ready", |it| it.ready_ns),
        ("blocked", |it| it.blocked_ns),
        ("stopped", |it| it.stopped_ns),
    ] {
        list.add(name, Nanoseconds, Neither, move |it| Some(get(it) as f64));
    }
    list.0
}

struct List(Vec<Figure>);

impl List {
    fn add(
        &mut self,
        name: impl Into<String>,
        unit: Unit,
        better: Better,
        get: impl Fn(&Measured) -> Option<f64> + Send + Sync + 'static,
    ) {
        self.0.push(Figure { name: name.into(), unit, better, get: Box::new(get) });
    }

    fn count(&mut self, name: &str, better: Better, get: fn(&Measured) -> u64) {
        self.add(name, Unit::Count, better, move |it| Some(get(it) as f64));
    }

    fn latency(&mut self, name: &str, get: fn(&Measured) -> Option<Latency>) {
        let parts: [Part<Latency>; 5] = [
            ("mean", |it| it.mean_ns),
            ("p50", |it| it.p50_ns as f64),
            ("p90", |it| it.p90_ns as f64),
            ("p99", |it| it.p99_ns as f64),
            ("max", |it| it.max_ns as f64),
        ];
        for (part, of) in parts {
            let name = format!("{name} {part}");
            self.add(name, Unit::Nanoseconds, Better::Lower, move |it| get(it).map(of));
        }
    }

    fn ratio(&mut self, name: &str, get: fn(&Measured) -> Option<Ratio>) {
        let parts: [Part<Ratio>; 5] = [
            ("mean", |it| it.mean),
            ("p50", |it| it.p50),
            ("p90", |it| it.p90),
            ("p99", |it| it.p99),
            ("max", |it| it.max),
        ];
        for (part, of) in parts {
            let name = format!("{name} {part}");
            self.add(name, Unit::Ratio, Better::Lower, move |it| get(it).map(of));
        }
    }
}
