//! Why a run could not go on.

use std::io;

use hothouse_abi::{Pid, Tick};

/// Why a run could not go on. It concerns the user of the simulator; what programs do wrong is an
/// [`Errno`](hothouse_abi::Errno) to them.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run took more steps than its limit allows.
    #[error(
        "the run took more than {limit} steps by {at} s; raise the limit `steps` if that is intended"
    )]
    Steps {
        /// The limit.
        limit: u64,
        /// The virtual time reached.
        at: Tick,
    },
    /// Time stood still for more steps than the limit allows.
    #[error(
        "livelock: more than {limit} steps at {at} s without time passing; running: {who}. A loop \
         of yields or sends that waits for something should sleep or receive; raise the limit \
         `steps_at_one_instant` if so much work at one instant is intended"
    )]
    Livelock {
        /// The limit.
        limit: u64,
        /// The virtual time at which it stands.
        at: Tick,
        /// Some of those that run.
        who: String,
    },
    /// A native process made no call for longer than the watchdog allows. It was cut off.
    #[error(
        "process {pid} {name} made no call for longer than the watchdog allows; it was in\n  \
         {place}\nA loop in Rust should make a call now and then, such as `yield_now`; raise the \
         watchdog's limit, or switch it off, if so much work between two calls is intended"
    )]
    Unresponsive {
        /// Its pid.
        pid: Pid,
        /// Its name.
        name: String,
        /// The functions that were under way, a line each, the innermost first.
        place: String,
    },
    /// The console could not be written.
    #[error("the console could not be written: {0}")]
    Console(#[source] io::Error),
    /// No memory for stacks could be had when the kernel was built.
    #[error("no memory for stacks: {0}; lower the limits `processes` or `stack_bytes`")]
    Stacks(#[source] io::Error),
}
