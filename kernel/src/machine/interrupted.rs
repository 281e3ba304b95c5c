//! What a handler lies over.

use hothouse_abi::{Resume, Signal, SignalSet, Span};

use super::process::{Answered, NOTHING, Process};
use super::wait::Wait;

/// A trap over which a handler runs, with the mask to go back to.
#[derive(Debug)]
pub(crate) struct Interrupted {
    mask: SignalSet,
    answered: Answered,
    /// The answer, if it is [`Answered::Kept`].
    kept: Option<Box<Resume>>,
    pub(crate) wait: Option<Wait>,
    burst: Option<Span>,
}

impl Interrupted {
    const EMPTY: Interrupted = Interrupted {
        mask: SignalSet::empty(),
        answered: Answered::No,
        kept: None,
        wait: None,
        burst: None,
    };

    /// Sets the answer with which the process goes on when the handler has returned.
    pub(super) fn set_answer(&mut self, answer: Resume) {
        self.answered = Answered::Kept;
        self.kept = Some(Box::new(answer));
    }
}

impl Process {
    /// Lays a handler over what it was about to do. In its parts, which stay where they are put: a
    /// copy as a whole would wait until they have left the store buffer.
    pub(super) fn interrupt_for(&mut self, signal: Signal) {
        let frames = &mut self.rare.get_or_insert_default().frames;
        frames.push(Interrupted::EMPTY);
        let frame = frames.last_mut().expect("it was just pushed");
        frame.mask = self.mask;
        frame.answered = self.answered;
        if self.answered == Answered::Kept {
            frame.kept = Some(Box::new(std::mem::replace(&mut self.kept, NOTHING)));
        }
        if self.wait.is_some() {
            frame.wait = self.wait.take();
        }
        frame.burst = self.task.burst.take();
        self.answered = Answered::Handler(signal);
        self.mask |= signal.into();
    }

    /// Goes on with what the innermost handler lay over. Returns whether there was one.
    pub(super) fn go_back(&mut self) -> bool {
        let Some(rare) = &mut self.rare else { return false };
        let Some(frame) = rare.frames.last_mut() else { return false };
        if self.answered == Answered::Kept {
            self.kept = NOTHING;
        }
        self.mask = frame.mask;
        self.answered = frame.answered;
        if let Some(kept) = frame.kept.take() {
            self.kept = *kept;
        }
        if frame.wait.is_some() || self.wait.is_some() {
            self.wait = frame.wait.take();
        }
        self.task.burst = frame.burst;
        rare.frames.truncate(rare.frames.len() - 1);
        true
    }
}
