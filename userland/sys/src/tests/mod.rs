//! `Sys` before a gate that answers from a script.

mod calls;
mod diverts;
mod exits;
mod gate;
mod library;
mod locks;
mod sigactions;

use gate::{Ended, FakeGate};
