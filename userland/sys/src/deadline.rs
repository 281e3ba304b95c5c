use std::time::Duration;

use hothouse_abi::Tick;

use crate::Sys;

/// A point in virtual time by which several calls together must be done.
///
/// ```
/// use hothouse_sys::{Errno, Filter, program};
/// use std::time::Duration;
///
/// // Collects votes for two seconds in all, however many arrive.
/// let counter = program(|sys| -> Result<i32, Errno> {
///     let deadline = sys.deadline(Duration::from_secs(2));
///     let mut votes = 0;
///     loop {
///         match sys.receive_event(Filter::name("vote"), deadline.timeout(sys)) {
///             Ok(_) => votes += 1,
///             Err(Errno::ETIMEDOUT) => return Ok(votes),
///             Err(other) => return Err(other),
///         }
///     }
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Tick);

impl Deadline {
    /// The deadline at this time.
    pub const fn at(tick: Tick) -> Deadline {
        Deadline(tick)
    }

    /// When it is.
    pub const fn tick(self) -> Tick {
        self.0
    }

    /// The time left until it; zero once it has passed.
    pub fn left(self, sys: &Sys) -> Duration {
        (self.0 - sys.now()).duration()
    }

    /// The time left, as calls take their timeouts.
    pub fn timeout(self, sys: &Sys) -> Option<Duration> {
        Some(self.left(sys))
    }

    /// Whether it has passed.
    pub fn has_passed(self, sys: &Sys) -> bool {
        sys.now() >= self.0
    }
}

impl Sys<'_> {
    /// The deadline this long from now.
    pub fn deadline(&self, after: Duration) -> Deadline {
        Deadline(self.now() + after.into())
    }
}
