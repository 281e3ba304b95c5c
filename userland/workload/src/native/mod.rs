//! Hothouse's own format, in TOML: all that a workload can say, and nothing else.
//!
//! A file has a table `machine`, arrays of tables `mutex`, `semaphore` and `task`. A task has a
//! `script`, or phases with a script each, or names a program. A step of a script is a word or a
//! table of one word and its value: `{ run = "3ms" }`. Lengths of time are strings with a unit, or
//! laws such as `"exp(3ms)"` where they may be drawn.

mod document;
mod grammar;
mod scheduling;
mod steps;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use crate::{Diagnostics, Source, Workload};

pub use write::write;

/// Reads a workload of the native format.
///
/// # Errors
///
/// Everything that is wrong with it, or the first place where it is no TOML.
pub(crate) fn read(source: &Arc<Source>) -> Result<Workload, Diagnostics> {
    grammar::read(source)
}
