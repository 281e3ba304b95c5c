//! Lua programs for Hothouse.
//!
//! A [`LuaHost`] turns Lua files into programs for the kernel. A process is a Lua coroutine with
//! global variables of its own, in a Lua state that many processes share; the kernel steps it.
//! Programs find `system.ipc`, `system.process` and `system.util` by `require`, and the raw system
//! calls by `coroutine.yield("syscall", name, ...)` in their main coroutine.
//!
//! # What differs from plain Lua 5.4
//!
//! * There is no `io`, `debug`, `package`, `dofile`, `loadfile`, `collectgarbage`, `string.dump`;
//!   `os` has only `clock`, `time`, `date` and `difftime`, in virtual time counted from 1970.
//! * `load` takes text only. `require` finds files in the folder of the program's file or below.
//! * The libraries can't be changed. Finalizers (`__gc`) and weak tables (`__mode`) are refused.
//! * `math.random` draws from the process's own stream, and `math.randomseed` does nothing.
//! * An error whose text is exactly `not enough memory`, the end of the instruction budget, and a
//!   system call that waits where Lua can't yield end the process: `pcall` does not catch them.
//!
//! # The calls beyond their contract
//!
//! * `sendEvent`, `sendServiceEvent`, `register` and `reply` return false when the other side
//!   can't take it (no such process, mailbox full, name taken, caller gave up); every other failure
//!   is an error.
//! * `call` returns `event, param` like `receiveEvent`, or nil after the timeout.
//! * `wait` returns `{id, value or error or signal, cputime, ended}`, or nil after the timeout.
//! * `getpinfo` returns `{id, name, user, parent, state, cputime, waittime, traps, events, peak,
//!   nice, started}`, and `waiting` and `since` of a process that waits.
//! * `start` and `run` take the path of a file in the program's folder or below.
#![deny(unsafe_code)]

mod answers;
mod args;
mod calls;
mod context;
mod dates;
mod error;
mod failure;
mod fork;
mod host;
mod kit;
#[path = "lib/mod.rs"]
mod library;
mod place;
mod process;
mod raw;
mod record;
mod seconds;
mod settings;
mod state;
mod values;

pub use error::LuaError;
pub use host::LuaHost;
pub use settings::LuaSettings;
