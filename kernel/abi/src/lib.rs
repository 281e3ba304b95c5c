//! The contract between programs and the kernel.
//!
//! The kernel and userland both depend on this crate and never on one another. It holds plain data
//! and two traits: [`Gate`], the way from a program into the kernel, and [`Body`], the way from the
//! kernel into a program that is stepped.
//!
//! # Terms
//!
//! * **process**: a running program with a [`Pid`].
//! * **program**: what a process runs ([`Program`]).
//! * **trap**: a call into the kernel ([`Trap`]), answered by a [`Resume`].
//! * **event**: a named message with data ([`Event`]).
//! * **signal**: one of the 31 standard POSIX signals ([`Signal`]).
//! * **name**: a service name under which a process is found ([`Name`]).
//! * **timer**: a deadline that becomes an event ([`TimerId`]).
//! * **burst**: CPU time that a process asks for by `compute`.
#![forbid(unsafe_code)]

mod body;
mod bytes;
mod disposition;
mod errno;
mod event;
mod exit;
mod frame;
mod info;
mod lock;
mod pid;
mod resume;
mod scheduling;
mod signal;
mod time;
mod trap;
mod value;

pub use body::{Body, Code, Main, Personality, Program, Step, Unwinding};
pub use bytes::{Bytes, Name};
pub use disposition::{Action, Disposition};
pub use errno::Errno;
pub use event::{Event, EventKind, Filter, Token};
pub use exit::{Exit, ExitStatus};
pub use frame::{Flow, Frame, Gate};
pub use info::{ProcessInfo, StateInfo};
pub use lock::{Ceiling, LockId, LockKind, Protocol};
pub use pid::Pid;
pub use resume::Resume;
pub use scheduling::{Class, CpuSet, Scheduling};
pub use signal::{MaskHow, Signal, SignalNumber, SignalSet};
pub use time::{Span, Tick, TimerId};
pub use trap::Trap;
pub use value::{DepthError, List, Map, Value};
