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
pub mod json;
pub mod sim;

pub use hothouse_abi as abi;
pub use hothouse_kernel::{
    Action as HostAction, Builder, Captured, Console, Costs, Counters, CpuReport, Deadlock, End,
    Held, Interrupt, Kernel, Limits, Report, RunError, StdConsole, Stream, StreamKind, Until,
    Waiter, bare_round_trips, policy, trace,
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
