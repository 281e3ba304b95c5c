//! Simulations: a workload on a machine, in virtual time, and the metrics of it.
//!
//! A [`Workload`] is built in code or read from a file; each of its tasks becomes an ordinary process
//! that makes ordinary calls. A [`Simulation`] says on which machine it runs, and its
//! [`run`](Simulation::run) gives the [`Metrics`]. [`Compare`] holds several against each other, with
//! the same arrivals.
//!
//! ```
//! use hothouse::Span;
//! use hothouse::sim::{Dist, Simulation, Step, Task, Workload};
//!
//! let job = |name: &str, ms| Task::once(name, vec![Step::Run(Dist::Const(Span::from_millis(ms)))]);
//! let tasks = vec![job("a", 5), job("b", 2), job("c", 8)];
//! let workload = Workload { tasks, ..Workload::default() };
//!
//! let run = Simulation::new(workload.clone()).policy("sjf").run()?;
//! let turnaround = run.metrics.machine.measured.turnaround.expect("jobs were done");
//! assert_eq!(turnaround.mean_ns, 8e6);
//!
//! let run = Simulation::new(workload).policy("fifo").run()?;
//! assert_eq!(run.metrics.task("c").unwrap().waiting.unwrap().max_ns, 7_000_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compare;
mod examples;
mod figures;
mod job;
mod lag;
mod meter;
mod metrics;
mod parallel;
mod run;
mod simulation;
mod statistics;
mod tally;
mod timeline;

pub use compare::{Candidate, Compare, Comparison, Difference, Row};
pub use examples::{Example, examples};
pub use figures::{Better, Figure, Unit, figures};
pub use hothouse_workload::{
    BadDist, Command, Demand, Diagnostic, Diagnostics, Dist, Locks, MachineSettings, Mutex, Phase,
    Place, Protocol, Semaphore, Source, Step, Task, Workload, exact_duration, parse_duration, read,
    write,
};
pub use job::JobRecord;
pub use metrics::{
    Latency, Lateness, Little, MachineMetrics, Measured, Metrics, Ratio, TaskMetrics,
};
pub use run::Run;
pub use simulation::{Settings, SimError, Simulation};
pub use statistics::Estimate;
pub use tally::BOUND;
pub use timeline::{Segment, Timeline, format_nanos};
