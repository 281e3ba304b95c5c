//! What traps come to.

use hothouse_abi::{Errno, Pid, Resume};

/// What a trap does to its caller.
#[must_use]
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It goes on with this answer.
    Answer(Resume),
    /// It goes on with the answer that is in its frame.
    Answered,
    /// What it does next is in its record: see [`Machine::enter`].
    Enter,
    /// It waits, as its record says, for what has not come yet.
    Wait,
    /// It has given its CPU up, and what it gets when it has one again is in its record.
    Leave,
    /// It is dead, and among the victims.
    Exit,
}

/// An [`Outcome`] whose answer was put into the caller's frame.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Answered,
    Enter,
    Wait,
    Leave,
    Exit,
}

/// What a function of a trap may return.
pub(super) trait Put {
    /// Puts the answer where it belongs. It is done for each trap apart, so that a small answer is
    /// written in place: one copy of a just written `Resume` costs more than an empty trap.
    fn put(self, answer: &mut Resume) -> Verdict;
}

impl Put for Resume {
    #[inline(always)]
    fn put(self, answer: &mut Resume) -> Verdict {
        answer.set(self);
        Verdict::Answered
    }
}

impl Put for Outcome {
    #[inline(always)]
    fn put(self, answer: &mut Resume) -> Verdict {
        match self {
            Outcome::Answer(resume) => resume.put(answer),
            Outcome::Answered => Verdict::Answered,
            Outcome::Enter => Verdict::Enter,
            Outcome::Wait => Verdict::Wait,
            Outcome::Leave => Verdict::Leave,
            Outcome::Exit => Verdict::Exit,
        }
    }
}

impl Put for Result<Resume, Errno> {
    #[inline(always)]
    fn put(self, answer: &mut Resume) -> Verdict {
        match self {
            Ok(resume) => resume.put(answer),
            Err(errno) => Resume::Error(errno).put(answer),
        }
    }
}

impl Put for Result<Pid, Errno> {
    #[inline(always)]
    fn put(self, answer: &mut Resume) -> Verdict {
        match self {
            Ok(pid) => Resume::Pid(pid).put(answer),
            Err(errno) => Resume::Error(errno).put(answer),
        }
    }
}

impl Put for Result<(), Errno> {
    #[inline(always)]
    fn put(self, answer: &mut Resume) -> Verdict {
        match self {
            Ok(()) => Resume::Unit.put(answer),
            Err(errno) => Resume::Error(errno).put(answer),
        }
    }
}

impl From<Result<Resume, Errno>> for Outcome {
    fn from(result: Result<Resume, Errno>) -> Outcome {
        Outcome::Answer(result.unwrap_or_else(Resume::Error))
    }
}

impl From<Result<(), Errno>> for Outcome {
    fn from(result: Result<(), Errno>) -> Outcome {
        result.map(|()| Resume::Unit).into()
    }
}

/// What the driver does after a trap.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Resumes the process: the answer is in the frame.
    Resume,
    /// Unwinds the machine's victims, if there are any, and asks who runs next.
    Leave,
}
