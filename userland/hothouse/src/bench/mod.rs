//! What the kernel costs: the rows that `hothouse bench` and the project's own benchmarks measure.
//!
//! A [`Row`] is a workload of programs on a kernel, through this crate's public face only. Each
//! checks what it computed, and the check depends on every operation: a figure from work that was
//! not done is an error.
//!
//! ```
//! use hothouse::bench::{Bench, find};
//!
//! let row = find("ping-pong").unwrap();
//! let nanos = Bench::default().measure(row, 1_000)?;
//! assert!(nanos > 0.0);
//! let fair = Bench::default().policy("rr:slice=1ms")?.cpus(2);
//! fair.measure(row, 1_000)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod events;
mod figure;
mod live;
mod lua;
mod parked;
mod processes;
mod rows;
mod series;
mod signals;
mod simulations;
mod sleepers;
mod switches;
mod watch;

use std::cell::RefCell;
use std::rc::Rc;

use hothouse_kernel::policy::{PolicyError, policy};
use hothouse_kernel::trace::{Record, TraceHash};
use hothouse_kernel::{
    Builder, Captured, End, Kernel, Limits, RunError, Stream, StreamKind, Until,
};
use thiserror::Error;

pub use figure::{Figure, Peer, PeerFigure, Summary, table};
pub use live::{Kind, Live, Parts, Stage, live};
pub use rows::{ROWS, Row, Unit, find, nearest};
pub use series::Series;
pub use watch::time;

use watch::Watch;

/// The machine that rows are measured on.
#[derive(Clone, Debug)]
pub struct Bench {
    policy: Option<String>,
    cpus: u32,
    /// What all records of its kernels go into, if they are to be compared.
    trace: Option<Rc<RefCell<TraceHash>>>,
}

impl Default for Bench {
    /// One CPU, under the policy that each row is about: `fifo`, but for `edf`.
    fn default() -> Bench {
        Bench { policy: None, cpus: 1, trace: None }
    }
}

/// Why there is no figure.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The kernel could not be made.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A run did not end as it should.
    #[error("the run ended otherwise than it should: {0}")]
    End(String),
    /// A process did not end well.
    #[error("process {name} failed: {problem}")]
    Process {
        /// Its name.
        name: String,
        /// How it ended.
        problem: String,
    },
    /// A row computed something else than it should.
    #[error("the check of {what} failed: {got} instead of {expected}")]
    Check {
        /// What was checked.
        what: &'static str,
        /// What it was.
        got: u64,
        /// What it should have been.
        expected: u64,
    },
    /// The host can't do or tell what the row needs.
    #[error("this host can't measure it: {0}")]
    Host(String),
}

impl Bench {
    /// Under this policy, whatever the row is about.
    ///
    /// # Errors
    ///
    /// If there is no such policy.
    pub fn policy(self, spec: &str) -> Result<Bench, PolicyError> {
        policy(spec, Stream::derive(0, StreamKind::Policy, 0))?;
        Ok(Bench { policy: Some(spec.to_owned()), ..self })
    }

    /// On so many simulated CPUs, at least one.
    #[must_use]
    pub fn cpus(self, cpus: u32) -> Bench {
        Bench { cpus: cpus.max(1), ..self }
    }

    /// Measures a row once, with work of this size: operations, or processes where the row is
    /// about those. The figure is for one of them, in the row's unit.
    ///
    /// # Errors
    ///
    /// If the work was not done as it should have been, or the host can't do it.
    pub fn measure(&self, row: &Row, size: u64) -> Result<f64, BenchError> {
        (row.measure)(self, size.max(1))
    }

    /// The hash of all records of a row's work of this size, which is the same in every run.
    ///
    /// # Errors
    ///
    /// Those of [`measure`](Bench::measure).
    ///
    /// ```
    /// use hothouse::bench::{Bench, find};
    /// let ring = find("ring").unwrap();
    /// let bench = Bench::default();
    /// assert_eq!(bench.trace(ring, 2_000)?, bench.trace(ring, 2_000)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trace(&self, row: &Row, size: u64) -> Result<u64, BenchError> {
        let trace = Rc::new(RefCell::new(TraceHash::new()));
        Bench { trace: Some(trace.clone()), ..self.clone() }.measure(row, size)?;
        let hash = trace.borrow().value();
        Ok(hash)
    }

    /// Whether the order in which processes run is the one that the rows are written for.
    fn is_plain(&self) -> bool {
        self.policy.is_none() && self.cpus == 1
    }

    /// A kernel with room for so many processes, under the row's own policy if none was named.
    fn builder(&self, own: &str, processes: u64) -> Builder {
        let spec = self.policy.as_deref().unwrap_or(own);
        let policy = policy(spec, Stream::derive(0, StreamKind::Policy, 0));
        let default = Limits::default();
        let room = usize::try_from(processes).unwrap_or(usize::MAX).saturating_add(16);
        let limits = Limits {
            steps_at_one_instant: u64::MAX,
            // No more, so that the reservation for stacks is small enough to run under a profiler.
            processes: room,
            mailbox_events: default.mailbox_events.max(room),
            mailbox_bytes: usize::MAX,
            records: 1024,
            ..default
        };
        let builder = Kernel::builder()
            .policy(policy.expect("a policy is looked at when it is named"))
            .cpus(self.cpus)
            .limits(limits)
            .console(Captured::default());
        let Some(trace) = self.trace.clone() else { return builder };
        builder.listener(move |record: &Record<'_>| trace.borrow_mut().update(record))
    }

    fn kernel(&self, processes: u64) -> Result<Kernel, BenchError> {
        Ok(self.builder("fifo", processes).build()?)
    }
}

/// Runs until nobody can run, and requires that every process ended well.
fn finish(kernel: &mut Kernel) -> Result<(), BenchError> {
    let end = kernel.run_until(Until::Idle);
    if !matches!(end, End::Done) {
        return Err(BenchError::End(end.to_string()));
    }
    for exit in kernel.report().records {
        if !exit.status.is_success() {
            let name = format!("{}", exit.pid);
            return Err(BenchError::Process { name, problem: exit.status.to_string() });
        }
    }
    Ok(())
}

/// Runs to the end, and gives the time of one of `operations`, as the watch took it.
fn run(mut kernel: Kernel, watch: &Rc<Watch>, operations: u64) -> Result<f64, BenchError> {
    finish(&mut kernel)?;
    watch.nanos_each(operations)
}

fn check(what: &'static str, got: u64, expected: u64) -> Result<(), BenchError> {
    if got == expected { Ok(()) } else { Err(BenchError::Check { what, got, expected }) }
}
