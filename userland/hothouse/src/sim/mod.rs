//! Simulations: a workload on a machine, in virtual time, and the metrics of it.
//!
//! A [`Workload`] is built in code or [`read`] from a file; each of its tasks becomes an ordinary process
//! that makes ordinary calls. A [`Simulation`] says on which machine it runs, and its
//! [`run`](Simulation::run) gives the [`Metrics`]. [`Compare`] holds several against each other, with
//! the same arrivals. docs/workloads.md defines the formats and the metrics.
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
//!
//! # Building a workload
//!
//! A task has phases of steps. One that comes again and again has no end, and a timer that says when its
//! next job is released; then the run needs a duration. How it is scheduled is a
//! [`Scheduling`](crate::Scheduling).
//!
//! ```
//! use hothouse::sim::{Dist, Protocol, Simulation, Step, Task, Workload};
//! use hothouse::{Scheduling, Span};
//!
//! let ms = Span::from_millis;
//! let run = |length| Step::Run(Dist::Const(ms(length)));
//! let period = |length| Step::Timer {
//!     reference: "period".into(),
//!     per_task: true,
//!     period: ms(length),
//!     absolute: true,
//! };
//! let bus = || (Step::Lock("bus".into()), Step::Unlock("bus".into()));
//! let task = |name: &str, nice, start, steps| Task {
//!     rounds: None,
//!     start: Dist::Const(ms(start)),
//!     scheduling: Scheduling { nice, ..Scheduling::default() },
//!     ..Task::once(name, steps)
//! };
//! let ((lock, unlock), (lock_low, unlock_low)) = (bus(), bus());
//! let tasks = vec![
//!     task("high", -10, 2, vec![lock, run(1), unlock, period(20)]),
//!     task("middle", 0, 3, vec![run(10), period(100)]),
//!     task("low", 10, 0, vec![lock_low, run(5), unlock_low, period(100)]),
//! ];
//! let inversion = Simulation::new(Workload { tasks, ..Workload::default() })
//!     .policy("prio")
//!     .duration(ms(100));
//!
//! let worst = |simulation: &Simulation| -> Result<u64, hothouse::sim::SimError> {
//!     let run = simulation.run()?;
//!     Ok(run.metrics.task("high").unwrap().turnaround.unwrap().max_ns / 1_000_000)
//! };
//! // The middle task runs while the low one holds the mutex that the high one waits for.
//! assert_eq!(worst(&inversion)?, 14);
//! assert_eq!(worst(&inversion.clone().protocol(Protocol::Inherit))?, 4);
//! # Ok::<(), hothouse::sim::SimError>(())
//! ```
//!
//! # Reading one
//!
//! ```
//! use hothouse::sim::{Simulation, read};
//!
//! let text = r#"
//!     [[task]]
//!     name = "customer"
//!     count = 1000
//!     every = "exp(10ms)"
//!     script = [{ run = "exp(8ms)" }]
//! "#;
//! let run = Simulation::new(read("customers.toml", text)?).seed(7).run()?;
//! assert_eq!(run.metrics.machine.measured.jobs, 1000);
//!
//! let error = read("customers.toml", &text.replace("every", "evry")).unwrap_err();
//! assert!(error.to_string().contains("did you mean \"every\"?"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A policy of one's own
//!
//! [`Simulation::own_policy`] takes a maker of any [`Policy`](crate::policy::Policy);
//! docs/policies.md has one from beginning to end.
//!
//! ```
//! use hothouse::policy::{CpuId, Pick, Policy, Queue, Reason, Task};
//! use hothouse::sim::{Simulation, read};
//! use hothouse::Tick;
//!
//! /// Last come, first served.
//! #[derive(Default)]
//! struct Stack(Queue);
//!
//! impl Policy for Stack {
//!     fn spec(&self) -> String {
//!         "stack".into()
//!     }
//!     fn enqueue(&mut self, task: &Task, _: Reason, _: Tick) {
//!         self.0.push_front(task.id);
//!     }
//!     fn dequeue(&mut self, task: &Task, _: Tick) {
//!         self.0.remove(task.id);
//!     }
//!     fn pick_next(&mut self, _: CpuId, _: Tick) -> Option<Pick> {
//!         Some(Pick { task: self.0.pop_front()?, slice: None })
//!     }
//! }
//!
//! let workload = read("three.jobs", "5,2,8")?;
//! let run = Simulation::new(workload).own_policy(|| Box::new(Stack::default())).run()?;
//! assert_eq!(run.settings.policy, "stack");
//! assert_eq!(run.metrics.task("job0").unwrap().waiting.unwrap().max_ns, 10_000_000);
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
mod times;

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
