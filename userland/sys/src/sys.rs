use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hothouse_abi::{ExitStatus, Flow, Frame, Gate, Resume, Signal, Trap, Unwinding, Value};

use crate::action::Handlers;
use crate::hook::{Hooks, panic_message};

/// What a program holds to make calls into the kernel.
///
/// A program gets it by reference and can't keep it: it lives on the process's own stack. Signal
/// handlers and exit hooks get it again.
///
/// Times are virtual. A timeout of `None` is for ever, one of zero never waits.
///
/// A process that is being unwound (killed, or after `exit`) may still make calls in its
/// destructors. Those that could park fail with `EINTR` at once, and a call that has no errno gives
/// its empty value if the kernel refuses it.
///
/// ```
/// use hothouse_sys::{Errno, Sys, program};
///
/// fn first(sys: &Sys) -> Result<(), Errno> {
///     let child = sys.spawn("child", |sys| sys.log(format!("I am {}", sys.getpid())))?;
///     let exit = sys.wait(child, None)?;
///     sys.log(format!("child {} {}", exit.pid, exit.status));
///     Ok(())
/// }
///
/// let first = program(first);
/// ```
///
/// It belongs to one process, and to one host thread:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<hothouse_sys::Sys>();
/// ```
///
/// ```compile_fail,E0521
/// use hothouse_sys::Sys;
/// let mut kept: Option<&'static Sys<'static>> = None;
/// hothouse_sys::program(move |sys| kept = Some(sys));
/// ```
#[repr(C)]
pub struct Sys<'g> {
    gate: &'g dyn Gate,
    /// A handler panicked: the process ends, also if the program catches the panic.
    is_broken: Cell<bool>,
    pub(crate) handlers: RefCell<Handlers>,
    pub(crate) hooks: RefCell<Hooks>,
    panic: RefCell<String>,
}

impl<'g> Sys<'g> {
    pub(crate) fn new(gate: &'g dyn Gate) -> Sys<'g> {
        Sys {
            gate,
            handlers: RefCell::default(),
            hooks: RefCell::default(),
            is_broken: Cell::new(false),
            panic: RefCell::default(),
        }
    }

    /// Makes the trap in `frame` and leaves its answer there.
    #[inline]
    pub(crate) fn trap(&self, frame: &mut Frame) {
        if self.is_broken.get() {
            self.end_broken();
        }
        self.enter(frame);
        if let Resume::Handler(_) | Resume::Hooks = frame.resume {
            self.divert(frame);
        }
    }

    #[inline]
    fn enter(&self, frame: &mut Frame) {
        let flow = self.gate.trap(frame);
        debug_assert_eq!(flow, Flow::Done, "a process with a stack of its own parks on it");
    }

    /// Does what the kernel wants done before it answers, until it answers.
    #[cold]
    fn divert(&self, frame: &mut Frame) {
        loop {
            match frame.resume {
                Resume::Handler(signal) => {
                    self.handle(signal);
                    frame.trap = Trap::SigReturn;
                }
                Resume::Hooks => {
                    self.run_hooks();
                    // An exit that is asked for again keeps its own status. In any other trap the
                    // process was ended from outside, and only the kernel knows how.
                    if !matches!(frame.trap, Trap::Exit { .. }) {
                        frame.trap = Trap::Exit { status: ExitStatus::Exited(Value::Nil) };
                    }
                }
                _ => return,
            }
            self.enter(frame);
        }
    }

    /// Runs a handler. Its panic goes on through the interrupted call.
    fn handle(&self, signal: Signal) {
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.run_handler(signal))) else {
            return;
        };
        if !payload.is::<Unwinding>() {
            self.panic.replace(panic_message(&*payload));
            self.is_broken.set(true);
        }
        resume_unwind(payload)
    }

    /// What a handler panicked with, if the program has caught it.
    pub(crate) fn caught_panic(&self) -> Option<String> {
        self.is_broken.take().then(|| self.panic.take())
    }

    /// Ends the process whose program has caught the panic of a handler. Destructors that run for
    /// the panic itself may still make calls.
    #[cold]
    fn end_broken(&self) {
        if std::thread::panicking() {
            return;
        }
        if let Some(message) = self.caught_panic() {
            self.diagnose(format!("panicked in a handler: {message}"));
            self.exit(ExitStatus::Panicked(message));
        }
    }

    /// Tells the kernel of a panic that reached the end of the stack, and runs the exit hooks.
    pub(crate) fn run_hooks_after_panic(&self, message: String) {
        let mut frame = Frame::new(Trap::Exit { status: ExitStatus::Panicked(message) });
        self.enter(&mut frame);
        while let Resume::Handler(signal) = frame.resume {
            self.handle(signal);
            frame.trap = Trap::SigReturn;
            self.enter(&mut frame);
        }
        if frame.resume == Resume::Hooks {
            self.run_hooks();
        }
    }
}

impl fmt::Debug for Sys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sys").finish_non_exhaustive()
    }
}
