//! A cooperative green-thread OS kernel simulator.
//!
//! Programs are written as plain blocking code, in Rust against [`Sys`] or in Lua; a [`Kernel`]
//! runs them as processes in virtual time, on any number of simulated CPUs, under any scheduling
//! policy, and the same seed gives the same run to the byte.
//!
//! ```
//! use hothouse::{End, Filter, Kernel, Pid, program};
//! use std::time::Duration;
//!
//! let mut kernel = Kernel::builder().seed(7).build()?;
//! kernel.spawn("client", program(|sys| {
//!     sys.sleep(Duration::from_millis(10));
//!     let echo = sys.lookup("echo").expect("the server has registered by now");
//!     sys.send_event(echo, "say", "hello")?;
//!     let reply = sys.receive_event(Filter::sender(echo), None)?;
//!     assert_eq!(reply.data.as_str(), Some("hello"));
//!     Ok::<(), hothouse::Errno>(())
//! }))?;
//! kernel.spawn("server", program(|sys| -> Result<(), hothouse::Errno> {
//!     sys.register("echo")?;
//!     loop {
//!         let request = sys.receive_event(Filter::any(), None)?;
//!         sys.send_event(request.sender, "said", request.data)?;
//!     }
//! }))?;
//! assert!(matches!(kernel.run(), End::Done));
//! assert!(kernel.report().exit(Pid::new(1)).unwrap().status.is_success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod bench;
pub mod explore;
pub mod json;
pub mod sim;

pub use explore::explore;
pub use hothouse_abi as abi;
pub use hothouse_kernel::{
    Action as HostAction, Builder, Candidate, Captured, Choice, Console, Costs, Counters,
    CpuReport, Deadlock, End, Exploration, Held, Interrupt, Kernel, Limits, Object, Oracle, Report,
    RunError, StdConsole, Step, Stream, StreamKind, Touches, Until, Waiter, bare_round_trips,
    faults, policy, trace,
};
pub use hothouse_lua as lua;
pub use hothouse_sys::*;

/// The README's examples, as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The policy of one's own, as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/policies.md")]
struct Policies;

/// The examples of the chapter on the search, as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/explore.md")]
struct ExploreDocs;

/// The example of docs/faults.md.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/faults.md")]
struct FaultsOnPurpose;
