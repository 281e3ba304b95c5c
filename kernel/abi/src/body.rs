use std::fmt;
use std::rc::Rc;

use crate::{ExitStatus, Gate, Resume, Scheduling};

/// What a process runs, as `spawn` takes it.
pub struct Program {
    /// Its code.
    pub code: Code,
    /// The rules that it starts with.
    pub personality: Personality,
    /// How it is scheduled; `None`: as its parent is.
    pub scheduling: Option<Rc<Scheduling>>,
}

/// The main function of a program on a stack of its own.
pub type Main = Box<dyn FnOnce(&dyn Gate) -> ExitStatus>;

/// The two kinds of code.
pub enum Code {
    /// Runs on a stack of its own and blocks in its traps.
    Native(Main),
    /// Is stepped on the kernel's stack.
    Stepped(Box<dyn Body>),
}

impl Program {
    /// A program with a stack of its own, under POSIX rules.
    pub fn native(main: impl FnOnce(&dyn Gate) -> ExitStatus + 'static) -> Program {
        let code = Code::Native(Box::new(main));
        Program { code, personality: Personality::Posix, scheduling: None }
    }

    /// A program that is stepped, under Phoenix rules.
    pub fn stepped(body: impl Body + 'static) -> Program {
        let code = Code::Stepped(Box::new(body));
        Program { code, personality: Personality::Phoenix, scheduling: None }
    }

    /// The same, scheduled so from its start.
    #[must_use]
    pub fn scheduled(self, scheduling: impl Into<Rc<Scheduling>>) -> Program {
        Program { scheduling: Some(scheduling.into()), ..self }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program({:?}, {:?})", self.code, self.personality)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::Native(_) => "native",
            Code::Stepped(_) => "stepped",
        })
    }
}

/// The rules that a process starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Personality {
    /// Signals act as POSIX says; no notices of children until asked for.
    Posix,
    /// Signals 1 2 3 5 6 9 13 15 end, 19 21 22 stop, 18 continues, every other arrives as event
    /// `signal`; notices of children from the start.
    Phoenix,
}

/// A program that is stepped on the kernel's stack, such as a Lua coroutine.
///
/// It makes its traps through the gate. When one parks, `resume` returns [`Step::Parked`] and is
/// called again with the answer.
pub trait Body {
    /// Runs until a trap parks or the program ends.
    ///
    /// The first call gets [`Resume::Start`]. [`Resume::Handler`] asks for the handler of a signal
    /// to be run and then for [`Trap::SigReturn`](crate::Trap::SigReturn), whose answer is that of
    /// the interrupted trap. [`Resume::Hooks`] asks for the exit hooks and then for `Trap::Exit`.
    /// After [`Resume::Unwind`] it closes what is open, parks no more and returns
    /// [`Step::Ended`]. A process that `SIGKILL` ends is dropped without another resume.
    fn resume(&mut self, gate: &Rc<dyn Gate>, resume: Resume) -> Step;

    /// Where the program is, such as `"server.lua:12"`, for diagnostics.
    fn place(&self) -> Option<String> {
        None
    }
}

/// What a [`Body`] did.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// A trap parked.
    Parked,
    /// The program ended.
    Ended(ExitStatus),
}

/// The payload with which a native process's stack unwinds when the process ends inside a trap.
///
/// A program that catches panics and finds this payload should pass it on with
/// [`std::panic::resume_unwind`].
#[derive(Clone, Copy, Debug)]
pub struct Unwinding;
