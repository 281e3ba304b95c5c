//! The driver: runs bodies, native and stepped, and carries their traps to the machine.

mod bodies;
mod builder;
mod kernel;
mod lookahead;
mod realtime;
mod report;
#[cfg(test)]
mod tests;

pub use builder::Builder;
pub use kernel::{Interrupt, Kernel, Until};
pub use report::{End, Report};
