//! What a Rust program on Hothouse holds to make its calls, and a small library on top.
//!
//! A program is a closure that gets a [`Sys`]. It is written as plain blocking code: a call that
//! waits parks the process and lets others run.
//!
//! ```
//! use hothouse_sys::{Errno, Filter, program};
//! use std::time::Duration;
//!
//! // Answers every ping until nobody has asked for ten virtual seconds.
//! let pong = program(|sys| -> Result<(), Errno> {
//!     sys.register("pong")?;
//!     loop {
//!         match sys.receive_event(Filter::name("ping"), Some(Duration::from_secs(10))) {
//!             Ok(ping) => sys.send_event(ping.sender, "pong", ping.data)?,
//!             Err(Errno::ETIMEDOUT) => return Ok(()),
//!             Err(other) => return Err(other),
//!         }
//!     }
//! });
//! ```
//!
//! On top of the calls there are guards for the kernel's locks ([`Mutex`], [`Semaphore`],
//! [`Condition`], [`Barrier`]), a [`Deadline`] shared by several calls, [`rpc`] servers and clients,
//! and a [`Supervisor`]. [`programs`] has small programs that show all of it.
#![forbid(unsafe_code)]

mod action;
mod calls;
mod deadline;
mod hook;
mod locks;
mod outcome;
mod program;
pub mod programs;
pub mod rpc;
mod shared;
mod supervisor;
mod sys;
#[cfg(test)]
mod tests;

pub use action::{Action, Handler};
pub use deadline::Deadline;
pub use hothouse_abi::{
    Bytes, Ceiling, Class, CpuSet, Errno, Event, EventKind, Exit, ExitStatus, Filter, LockId,
    LockKind, MaskHow, Name, Pid, ProcessInfo, Program, Protocol, Scheduling, Signal, SignalNumber,
    SignalSet, Span, StateInfo, Tick, TimerId, Token, Unwinding, Value,
};
pub use locks::{Barrier, Condition, Mutex, MutexGuard, Permit, Semaphore};
pub use outcome::Outcome;
pub use program::program;
pub use shared::Shared;
pub use supervisor::{Child, GaveUp, Restart, Supervisor};
pub use sys::Sys;
