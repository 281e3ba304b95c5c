//! Repeats a run by its answers, and notices where a changed program goes another way.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::failure::Failure;
use super::schedule::{Decision, Kind, question};
use super::search::{Search, usual};
use crate::{Candidate, Choice, Step};

/// What a replay came to.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// The run, told.
    pub story: Vec<String>,
    /// Where the run went another way than the recorded one.
    pub divergence: Option<Divergence>,
}

/// The first choice at which a program does something else than when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Its number, from 1.
    pub step: usize,
    /// How many there are in the recorded run.
    pub of: usize,
    /// What is to be chosen from now; `None` if the run ended before.
    pub now: Option<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program goes another way at choice {} of {}: ", self.step, self.of)?;
        match &self.now {
            Some(now) => write!(f, "it now asks for {now}"),
            None => f.write_str("it now ends before"),
        }
    }
}

/// How far a replay has come.
#[derive(Default)]
pub(super) struct Progress {
    at: usize,
    diverged: Option<(usize, String)>,
}

impl Progress {
    pub(super) fn divergence(&self, of: usize) -> Option<Divergence> {
        if let Some((at, now)) = &self.diverged {
            return Some(Divergence { step: at + 1, of, now: Some(now.clone()) });
        }
        (self.at < of).then_some(Divergence { step: self.at + 1, of, now: None })
    }
}

pub(super) struct Replay {
    decisions: Vec<Decision>,
    progress: Rc<RefCell<Progress>>,
}

impl Replay {
    pub(super) fn new(decisions: Vec<Decision>) -> (Replay, Rc<RefCell<Progress>>) {
        let progress = Rc::new(RefCell::new(Progress::default()));
        (Replay { decisions, progress: progress.clone() }, progress)
    }
}

impl Search for Replay {
    fn begin(&mut self) -> bool {
        true
    }

    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        if choice.last() == 0 {
            return 0;
        }
        let mut progress = self.progress.borrow_mut();
        let at = progress.at;
        let decision = self.decisions.get(at).filter(|_| progress.diverged.is_none());
        let Some(decision) = decision else {
            if at == self.decisions.len() && progress.diverged.is_none() {
                progress.diverged = Some((at, words(choice)));
            }
            return usual(choice);
        };
        if decision.kind != Kind::of(choice) || decision.question != question(choice) {
            progress.diverged = Some((at, words(choice)));
            return usual(choice);
        }
        progress.at += 1;
        decision.answer
    }
}

/// A choice in words.
fn words(choice: &Choice<'_>) -> String {
    match choice {
        Choice::Next { candidates, .. } => {
            let words: Vec<String> = candidates.iter().map(candidate).collect();
            words.join(" or ")
        }
        Choice::Fault { pid, what, .. } => format!("the fault \"{what}\" of {pid}"),
        Choice::Input { pid, last, .. } => format!("an input of {pid} up to {last}"),
    }
}

fn candidate(candidate: &Candidate) -> String {
    let pid = candidate.pid;
    match candidate.step {
        Step::Trap(name) => format!("{name} of {pid}"),
        Step::End => format!("the end of {pid}"),
        Step::Run => format!("{pid} going on"),
        Step::Timeout => format!("the timeout of {pid}"),
    }
}
