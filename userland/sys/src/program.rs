use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hothouse_abi::{ExitStatus, Program, Unwinding};

use crate::hook::panic_message;
use crate::{Outcome, Sys};

/// A program that runs `main` on a stack of its own.
///
/// What `main` returns becomes the exit status ([`Outcome`]). A panic in it ends only its own
/// process, with status `Panicked`.
///
/// ```
/// let hello = hothouse_sys::program(|sys| sys.log("hello"));
/// let fails = hothouse_sys::program(|sys| sys.register("taken"));
/// let server = hothouse_sys::program(|sys| loop {
///     sys.yield_now();
/// });
/// ```
pub fn program<F, R>(main: F) -> Program
where
    F: FnOnce(&Sys) -> R + 'static,
    R: Outcome,
{
    Program::native(move |gate| {
        let sys = Sys::new(gate);
        run(&sys, main)
    })
}

fn run<R: Outcome>(sys: &Sys, main: impl FnOnce(&Sys) -> R) -> ExitStatus {
    let result = catch_unwind(AssertUnwindSafe(|| main(sys).status()));
    let hooks = !sys.hooks.borrow().is_empty();
    let caught = sys.caught_panic();
    match result.map(|status| caught.map_or(status, ExitStatus::Panicked)) {
        Ok(status) if hooks => sys.exit(status),
        Ok(status) => status,
        Err(payload) => {
            if hooks && !payload.is::<Unwinding>() {
                sys.run_hooks_after_panic(panic_message(&*payload));
            }
            resume_unwind(payload)
        }
    }
}
