//! Tries the schedules of a program: every interleaving of its processes at their traps, every order
//! of timeouts and messages at one instant, faults and inputs.
//!
//! A failure is a panic, an error, a deadlock, a livelock, something that is left, or a property of
//! the trace that does not hold. It comes with the shortest failing run that was found, told as a
//! story, and with a [`Schedule`] that repeats it.
//!
//! ```
//! use hothouse::explore::{Bound, Explorer, Strategy};
//! use hothouse::{Errno, Shared, Sys};
//!
//! fn counts(sys: &Sys) -> Result<(), Errno> {
//!     let count = Shared::new(sys, 0);
//!     for name in ["one", "two"] {
//!         let count = count.clone();
//!         sys.spawn(name, move |sys| {
//!             let seen = count.get(sys);
//!             count.set(sys, seen + 1);
//!         })?;
//!     }
//!     sys.wait(None, None)?;
//!     sys.wait(None, None)?;
//!     assert_eq!(count.get(sys), 2);
//!     Ok(())
//! }
//!
//! let all = Explorer::new().isolated(true).strategy(Strategy::Dfs { bound: Bound::None });
//! let explored = all.check(counts)?;
//! let found = explored.failure.expect("both may see 0");
//! assert_eq!(found.failure.word(), "panic");
//! let again = all.replay(&found.schedule, counts)?;
//! assert_eq!(again.failure, Some(found.failure));
//! # Ok::<(), hothouse::RunError>(())
//! ```

mod dfs;
mod director;
mod explorer;
mod failure;
mod past;
mod pct;
mod property;
mod random;
mod reduced;
mod replay;
mod report;
mod runner;
mod schedule;
mod search;
mod shrink;
mod story;

use hothouse_sys::{Outcome, Sys};

pub use explorer::Explorer;
pub use failure::Failure;
pub use replay::{Divergence, Replayed};
pub use report::{Explored, Found};
pub use schedule::{Decision, Kind, Schedule, ScheduleError};
pub use search::{Bound, Strategy};

/// Searches a program with the defaults of [`Explorer::new`], for use in a `#[test]`.
///
/// ```
/// hothouse::explore(|sys| {
///     sys.register("here")?;
///     assert!(sys.lookup("here").is_some());
///     Ok::<(), hothouse::Errno>(())
/// });
/// ```
///
/// # Panics
///
/// If a schedule fails, with its story and the string that repeats it; or if the host refuses memory.
pub fn explore<R: Outcome>(main: impl Fn(&Sys) -> R + 'static) {
    match Explorer::new().check(main) {
        Ok(explored) if explored.failure.is_none() => {}
        Ok(explored) => panic!("{explored}"),
        Err(error) => panic!("{error}"),
    }
}
