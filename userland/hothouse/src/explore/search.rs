//! What a strategy of the search is, and the choice of one by name.

use std::fmt;

use crate::trace::Record;
use crate::{Candidate, Choice, Step};

/// Decides the choices of one run after the other.
pub(super) trait Search {
    /// Begins the next run. `false`: there is none left.
    fn begin(&mut self) -> bool;

    /// The answer to a choice.
    fn choose(&mut self, choice: &Choice<'_>) -> u64;

    /// Whether the run that is under way repeats another, and can be given up.
    fn is_redundant(&self) -> bool {
        false
    }

    /// The run is over.
    fn end(&mut self) {}

    /// Something happened in the run.
    #[expect(unused_variables, reason = "a default that does nothing")]
    fn record(&mut self, record: &Record<'_>) {}
}

/// How the search goes through the schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Each choice uniformly at random.
    Random,
    /// Random priorities with `depth - 1` points at which they change (Burckhardt et al. 2010).
    Pct {
        /// How many ordering constraints a bug may need.
        depth: u32,
    },
    /// All schedules within a bound, one after the other.
    Dfs {
        /// The bound.
        bound: Bound,
    },
}

/// What a depth-first search leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bound {
    /// Nothing.
    #[default]
    None,
    /// Runs with more preemptions: a process that could go on is put off (Musuvathi and Qadeer
    /// 2007). A fault counts as one.
    Preemptions(u32),
    /// Runs with more delays: places by which the choices lie behind the first candidate (Emmi,
    /// Qadeer and Rakamarić 2011). A fault counts as one.
    Delays(u32),
    /// Choices after this many: they take the first candidate.
    Steps(u32),
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Strategy::Random => f.write_str("random"),
            Strategy::Pct { depth } => write!(f, "pct with depth {depth}"),
            Strategy::Dfs { bound: Bound::None } => f.write_str("dfs"),
            Strategy::Dfs { bound: Bound::Preemptions(n) } => {
                write!(f, "dfs with at most {n} preemptions")
            }
            Strategy::Dfs { bound: Bound::Delays(n) } => write!(f, "dfs with at most {n} delays"),
            Strategy::Dfs { bound: Bound::Steps(n) } => write!(f, "dfs of the first {n} choices"),
        }
    }
}

/// The answer where nothing speaks for another: go on, no fault, the input that was drawn.
pub(super) fn usual(choice: &Choice<'_>) -> u64 {
    match choice {
        Choice::Input { drawn, last, .. } => (*drawn).min(*last),
        Choice::Next { .. } | Choice::Fault { .. } => 0,
    }
}

/// Inputs with more values than this are not gone through one by one.
pub(super) const MOST_INPUTS: u64 = 256;

/// Who does what a candidate stands for: its process, or the deadline of its wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Actor {
    pub(super) pid: u64,
    pub(super) timeout: bool,
}

impl From<&Candidate> for Actor {
    fn from(candidate: &Candidate) -> Actor {
        Actor { pid: candidate.pid.number(), timeout: candidate.step == Step::Timeout }
    }
}
