//! Workloads of rt-app, the load generator of the Linux scheduler's community, as its users have
//! them.
//!
//! The grammar is that of rt-app 1.0's own documentation and examples. Beyond it, `memrun` takes a
//! number of bytes or an object with a `size`. `mem` and `memrun` are bursts of one nanosecond a
//! byte, `iorun` of ten.

mod events;
mod grammar;
mod json;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::{Diagnostics, Source, Workload};

/// Reads a workload of rt-app.
///
/// # Errors
///
/// Everything that is wrong with it, or the first place where it is no JSON.
pub(crate) fn read(source: &Arc<Source>) -> Result<Workload, Diagnostics> {
    grammar::read(source)
}
