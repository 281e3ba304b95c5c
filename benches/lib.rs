//! What the benchmarks share: other runtimes that do the same work, and the host's description.
//!
//! The rows themselves are in [`hothouse::bench`], since `hothouse bench` measures them too.

mod host;
pub mod peers;

pub use host::host;
