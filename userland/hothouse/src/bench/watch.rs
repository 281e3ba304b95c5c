use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::BenchError;

/// Times part of a run, from within its programs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    started: Cell<Option<Instant>>,
    took: Cell<Option<Duration>>,
}

impl Watch {
    pub(super) fn new() -> Rc<Watch> {
        Rc::default()
    }

    pub(super) fn start(&self) {
        self.started.set(Some(now()));
    }

    pub(super) fn stop(&self) {
        self.took.set(self.started.get().map(|started| now() - started));
    }

    /// The time of one of `operations`.
    pub(super) fn nanos_each(&self, operations: u64) -> Result<f64, BenchError> {
        let took = self.took.get();
        let took = took.ok_or_else(|| BenchError::End("before the work was done".to_owned()))?;
        Ok(nanos(took) / operations as f64)
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the host's clock")]
fn now() -> Instant {
    Instant::now()
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// How long `work` takes on the host's clock, in nanoseconds, and what it gives.
///
/// ```
/// let (nanos, sum) = hothouse::bench::time(|| (1..=10).sum::<u64>());
/// assert!(nanos >= 0.0 && sum == 55);
/// ```
pub fn time<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let started = now();
    let result = work();
    (nanos(now() - started), result)
}
