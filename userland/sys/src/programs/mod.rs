//! Small programs that show what Hothouse does, one file each.
//!
//! The files are meant to be read. Each program has a `main` that any process can run, and
//! [`programs`] lists them by name.

pub mod election;
pub mod philosophers;
pub mod philosophers_mended;
pub mod pipeline;
pub mod service;
pub mod shutdown;
pub mod supervisor;

use hothouse_abi::{Program, Value};

use crate::program;

/// A program that comes with Hothouse.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// Makes the program; the arguments are for programs that take any.
    pub start: fn(args: Vec<Value>) -> Program,
}

/// All of them, in order of name.
///
/// ```
/// use hothouse_sys::programs::programs;
/// let service = programs().iter().find(|builtin| builtin.name == "service").unwrap();
/// let program = (service.start)(Vec::new());
/// ```
pub fn programs() -> &'static [Builtin] {
    &[
        Builtin {
            name: "election",
            about: "nodes elect a new leader when the old one falls silent",
            start: |_| program(election::main),
        },
        Builtin {
            name: "philosophers",
            about: "five philosophers dine and starve: a deadlock",
            start: |_| program(philosophers::main),
        },
        Builtin {
            name: "philosophers-mended",
            about: "the same five, who take the forks in order and eat",
            start: |_| program(philosophers_mended::main),
        },
        Builtin {
            name: "pipeline",
            about: "a fast producer is held back by a slow consumer",
            start: |_| program(pipeline::main),
        },
        Builtin {
            name: "service",
            about: "clients look a service up, ask it and get replies",
            start: |_| program(service::main),
        },
        Builtin {
            name: "shutdown",
            about: "a server ends cleanly on SIGTERM, another needs SIGKILL",
            start: |_| program(shutdown::main),
        },
        Builtin {
            name: "supervisor",
            about: "workers that fail or hang are killed and started again",
            start: |_| program(supervisor::main),
        },
    ]
}
