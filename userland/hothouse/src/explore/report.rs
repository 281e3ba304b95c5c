//! What a search came to, as text and as JSON.

use std::fmt;

use serde_json::{Value as Json, json};

use super::failure::Failure;
use super::schedule::Schedule;
use super::search::Strategy;

/// What a search came to.
#[derive(Clone, Debug)]
#[must_use]
pub struct Explored {
    /// How it went through the schedules.
    pub strategy: Strategy,
    /// Its seed.
    pub seed: u64,
    /// How many schedules were tried to their end.
    pub schedules: u64,
    /// How many of them differ.
    pub distinct: u64,
    /// How many more were begun and given up, since they repeat others in another order.
    pub redundant: u64,
    /// How many were cut off by the limit on steps.
    pub cut_off: u64,
    /// Traps made in all of them.
    pub traps: u64,
    /// Whether every schedule within the bound was tried.
    pub exhausted: bool,
    /// The first failure, made shorter.
    pub failure: Option<Box<Found>>,
}

/// A failing run.
#[derive(Clone, Debug)]
pub struct Found {
    /// What went wrong.
    pub failure: Failure,
    /// Which schedule failed first, from 1.
    pub at: u64,
    /// The shortest failing run that was found.
    pub schedule: Schedule,
    /// In how many answers it departs from the usual: go on, no fault. Inputs do not count.
    pub departures: u64,
    /// How many answers, and departures, it had before it was made shorter.
    pub first: (usize, u64),
    /// How many runs that took.
    pub tried: u64,
    /// The run, told line by line.
    pub story: Vec<String>,
}

impl Explored {
    pub(super) fn new(strategy: Strategy, seed: u64) -> Explored {
        Explored {
            strategy,
            seed,
            schedules: 0,
            distinct: 0,
            redundant: 0,
            cut_off: 0,
            traps: 0,
            exhausted: false,
            failure: None,
        }
    }

    /// The same for a machine.
    pub fn json(&self) -> Json {
        json!({
            "strategy": self.strategy.to_string(),
            "seed": self.seed,
            "schedules": self.schedules,
            "distinct": self.distinct,
            "redundant": self.redundant,
            "cut_off": self.cut_off,
            "traps": self.traps,
            "exhausted": self.exhausted,
            "failure": self.failure.as_ref().map(|found| found.json()),
        })
    }
}

impl Found {
    fn json(&self) -> Json {
        json!({
            "kind": self.failure.word(),
            "what": self.failure.to_string(),
            "at_schedule": self.at,
            "choices": self.schedule.decisions.len(),
            "departures": self.departures,
            "choices_before": self.first.0,
            "departures_before": self.first.1,
            "shrink_runs": self.tried,
            "story": self.story,
            "schedule": self.schedule.to_string(),
            "repeat": self.repeat(),
        })
    }

    /// The command that repeats the run; without a program's name, PROGRAM stands for it.
    pub fn repeat(&self) -> String {
        format!("hothouse replay {}", self.schedule)
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.schedules == 1 { "" } else { "s" };
        write!(f, "{} schedule{plural} tried, {} distinct", self.schedules, self.distinct)?;
        if self.redundant > 0 {
            write!(f, ", {} given up as repetitions", self.redundant)?;
        }
        if self.cut_off > 0 {
            write!(f, ", {} cut off by the limit on steps", self.cut_off)?;
        }
        writeln!(f, "; by {}, seed {}", self.strategy, self.seed)?;
        match &self.failure {
            Some(found) => found.fmt(f),
            None if self.exhausted => f.write_str("nothing fails in any schedule within the bound"),
            None => f.write_str("nothing failed; there are schedules that were not tried"),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (choices, departures) = (self.schedule.decisions.len(), self.departures);
        writeln!(f, "schedule {} fails: {}", self.at, self.failure)?;
        writeln!(
            f,
            "the shortest run found has {choices} choices, {departures} of them not the usual one \
             (before: {}, {}; {} runs):",
            self.first.0, self.first.1, self.tried
        )?;
        for line in &self.story {
            writeln!(f, "  {line}")?;
        }
        write!(f, "schedule  {}", self.schedule)?;
        if !self.schedule.words.is_empty() {
            write!(f, "\nrepeat    {}", self.repeat())?;
        }
        Ok(())
    }
}
