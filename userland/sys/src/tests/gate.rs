use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hothouse_abi::{Code, ExitStatus, Flow, Frame, Gate, Program, Resume, Trap, Unwinding};

use crate::Outcome;
use crate::Sys;
use crate::hook::panic_message;

/// Answers traps from a script and writes down what was asked.
#[derive(Default)]
pub(super) struct FakeGate {
    script: RefCell<VecDeque<Resume>>,
    traps: RefCell<Vec<String>>,
    names: RefCell<Vec<&'static str>>,
}

/// How a program under the fake gate ended.
#[derive(Debug, PartialEq)]
pub(super) enum Ended {
    Returned(ExitStatus),
    Unwound,
    Panicked(String),
}

impl FakeGate {
    /// A gate that gives these answers in order, and `Unwind` for ever after.
    pub(super) fn new(script: impl IntoIterator<Item = Resume>) -> FakeGate {
        let gate = FakeGate::default();
        gate.script.borrow_mut().extend(script);
        gate
    }

    /// The traps that were made, as their debug text.
    pub(super) fn traps(&self) -> Vec<String> {
        self.traps.borrow().clone()
    }

    /// The names of the traps that were made.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.names.borrow().clone()
    }

    /// Runs a program, whose script must be used up by its end.
    pub(super) fn run<R: Outcome>(&self, main: impl FnOnce(&Sys) -> R + 'static) -> Ended {
        self.run_program(crate::program(main))
    }

    pub(super) fn run_program(&self, program: Program) -> Ended {
        let Code::Native(main) = program.code else { panic!("a native program") };
        let ended = match catch_unwind(AssertUnwindSafe(|| main(self))) {
            Ok(status) => Ended::Returned(status),
            Err(payload) if payload.is::<Unwinding>() => Ended::Unwound,
            Err(payload) => Ended::Panicked(panic_message(&*payload)),
        };
        assert!(
            self.script.borrow().is_empty(),
            "answers that nobody asked for: {:?}",
            self.script
        );
        ended
    }
}

impl Gate for FakeGate {
    fn trap(&self, frame: &mut Frame) -> Flow {
        self.names.borrow_mut().push(frame.trap.name());
        self.traps.borrow_mut().push(format!("{:?}", frame.trap));
        let answer = self.script.borrow_mut().pop_front();
        match answer {
            // As the kernel does: takes what it keeps out of the frame, leaves the rest.
            Some(answer) => frame.resume = answer,
            None if std::thread::panicking() => {
                frame.resume = Resume::Error(hothouse_abi::Errno::EINTR);
            }
            None => resume_unwind(Box::new(Unwinding)),
        }
        if let (Trap::Spawn { program, .. }, Resume::Pid(_)) = (&mut frame.trap, &frame.resume) {
            *program = None;
        }
        Flow::Done
    }
}
