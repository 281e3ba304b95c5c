//! The oracle of a run under search: it passes the choices on, and keeps the answers and the first
//! failure.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use rustc_hash::FxHasher;

use super::failure::Failure;
use super::property::Watched;
use super::schedule::{Decision, Kind, question};
use super::search::{Search, usual};
use super::story::Story;
use crate::trace::{Listener, Record};
use crate::{Choice, ExitStatus, Interrupt, Name, Oracle, Pid};

/// What is known of the run under way.
pub(super) struct Director {
    pub(super) search: Box<dyn Search>,
    pub(super) decisions: Vec<Decision>,
    pub(super) failure: Option<Failure>,
    pub(super) watched: Vec<Watched>,
    /// Set when the run is to be told.
    pub(super) story: Option<Story>,
    /// How many answers were not the usual ones.
    pub(super) departures: u64,
    /// Whether a process that fails is a failure.
    pub(super) failing: bool,
    /// Ends the run as soon as more of it says nothing.
    pub(super) interrupt: Interrupt,
    hasher: FxHasher,
}

impl Director {
    pub(super) fn new(search: Box<dyn Search>, failing: bool) -> Director {
        Director {
            search,
            decisions: Vec::new(),
            failure: None,
            watched: Vec::new(),
            story: None,
            departures: 0,
            failing,
            interrupt: Interrupt::default(),
            hasher: FxHasher::default(),
        }
    }

    /// Forgets the run before.
    pub(super) fn clear(&mut self) {
        self.decisions.clear();
        self.failure = None;
        self.story = None;
        self.departures = 0;
        self.interrupt = Interrupt::default();
        self.hasher = FxHasher::default();
    }

    /// A hash of all answers so far.
    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    fn fail(&mut self, failure: Failure) {
        if self.failure.is_none() {
            self.failure = Some(failure);
            self.interrupt.raise();
        }
    }
}

/// The same director for the oracle and the listener of a kernel.
#[derive(Clone)]
pub(super) struct Handle(pub(super) Rc<RefCell<Director>>);

impl Oracle for Handle {
    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        let director = &mut *self.0.borrow_mut();
        let answer = director.search.choose(choice).min(choice.last());
        if director.search.is_redundant() {
            director.interrupt.raise();
        }
        if choice.last() == 0 {
            return 0;
        }
        // Not 0, which would leave the hash as it is.
        answer.wrapping_add(1).hash(&mut director.hasher);
        let is_input = matches!(choice, Choice::Input { .. });
        let departs = !is_input && answer != usual(choice);
        director.departures += u64::from(departs);
        // Only a run that is told needs to be recognised later.
        let question = if director.story.is_some() { question(choice) } else { 0 };
        director.decisions.push(Decision { kind: Kind::of(choice), answer, question });
        if let Some(story) = &mut director.story
            && (departs || is_input)
        {
            story.chosen(choice, answer);
        }
        answer
    }

    fn ended(&mut self, pid: Pid, name: &Name, status: &ExitStatus) {
        let director = &mut *self.0.borrow_mut();
        if director.failing
            && let Some(failure) = Failure::of_end(pid, name, status)
        {
            director.fail(failure);
        }
    }
}

impl Listener for Handle {
    fn record(&mut self, record: &Record<'_>) {
        let director = &mut *self.0.borrow_mut();
        director.search.record(record);
        if let Some(story) = &mut director.story {
            story.record(record);
        }
        let failure = director.watched.iter_mut().find_map(|watched| watched.see(record));
        if let Some(failure) = failure {
            director.fail(failure);
        }
    }
}
