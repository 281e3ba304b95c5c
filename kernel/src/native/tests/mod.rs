mod arena;
mod ends;
mod faults;
mod unwinding;

use std::cell::RefCell;
use std::rc::Rc;

use hothouse_abi::{ExitStatus, Flow, Frame, Gate, Resume, Trap};

use super::{Arena, Came, Native};

const STACK: usize = 64 * 1024;

fn arena() -> Arena {
    Arena::new(STACK, 64).unwrap()
}

fn start(arena: &mut Arena, main: impl FnOnce(&dyn Gate) -> ExitStatus + 'static) -> Native {
    Native::start(Box::new(main), arena.take().unwrap())
}

/// A process's whole life, each trap answered with nothing.
fn life(arena: &mut Arena, main: impl FnOnce(&dyn Gate) -> ExitStatus + 'static) -> Came {
    let mut native = start(arena, main);
    let came = end(&mut native);
    native.finish(arena);
    came
}

/// Resumes until the end, each trap answered with nothing.
fn end(native: &mut Native) -> Came {
    loop {
        match native.resume() {
            Came::Trapped => native.frame().resume = Resume::Unit,
            other => return other,
        }
    }
}

fn panic_message(came: Came) -> String {
    match came {
        Came::Ended(ExitStatus::Panicked(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn exited(value: i32) -> ExitStatus {
    ExitStatus::Exited(value.into())
}

fn trap(gate: &dyn Gate) -> Resume {
    let mut frame = Frame::new(Trap::Yield);
    assert_eq!(gate.trap(&mut frame), Flow::Done);
    frame.resume
}

/// Tells what was dropped, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<&'static str>>>);

impl Log {
    fn guard(&self, name: &'static str) -> Guard {
        Guard { log: self.clone(), name, panics: false }
    }

    fn entries(&self) -> Vec<&'static str> {
        self.0.borrow().clone()
    }
}

struct Guard {
    log: Log,
    name: &'static str,
    panics: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.log.0.borrow_mut().push(self.name);
        if self.panics {
            panic!("the drop of {}", self.name);
        }
    }
}

/// Makes a trap when dropped.
struct TrapOnDrop<'a> {
    gate: &'a dyn Gate,
    log: Log,
}

impl Drop for TrapOnDrop<'_> {
    fn drop(&mut self) {
        let answer = trap(self.gate);
        let word = if answer == Resume::Unit { "answered" } else { "refused" };
        self.log.0.borrow_mut().push(word);
    }
}
