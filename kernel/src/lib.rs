//! The kernel: the machine, the scheduling policies, and the driver that switches stacks.
//!
//! # Terms
//!
//! A **process** is a running **program** with a pid. It reaches the kernel by **traps**. Processes
//! send one another **events** and **signals**, find one another by **names**, and set **timers**.
//! What was sent and not yet received lies in the receiver's **mailbox**. The **machine** is all
//! kernel data: it has simulated **CPUs**, which processes use in **bursts** of at most a **slice**
//! each, as the **policy** decides.
//!
//! # Layers
//!
//! * `machine` is a plain struct that knows no coroutine: what each trap does.
//! * [`policy`] decides who runs.
//! * `driver` runs the bodies of processes and carries their traps to the machine; [`Kernel`] is
//!   its face.
//! * `native` switches stacks, maps them and catches faults: the only code with `unsafe` in it.
#![deny(unsafe_code)]

mod console;
mod driver;
mod error;
pub mod faults;
mod limits;
mod machine;
mod mailbox;
mod memory;
mod native;
mod oracle;
pub mod policy;
mod stream;
mod timers;
pub mod trace;

pub use console::{Captured, Console, StdConsole};
pub use driver::{Builder, End, Interrupt, Kernel, Report, Until};
pub use error::RunError;
pub use limits::{Costs, Limits};
pub use machine::{Action, Counters, CpuReport, Deadlock, Held, Waiter};
pub use native::bare_round_trips;
pub use oracle::{Candidate, Choice, Exploration, Object, Oracle, Step, Touches};
pub use stream::{Stream, StreamKind};
