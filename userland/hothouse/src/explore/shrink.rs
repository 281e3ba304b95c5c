//! Makes a failing run shorter: schedule, faults and inputs together.
//!
//! A run is a list of answers. A shorter one takes parts of it out, or makes answers usual or
//! smaller; where the list has no answer, the usual one is given. What still fails in the same way
//! and is better is kept. Last, all runs with fewer departures from the usual are tried, as far as
//! the number of runs allows.
//!
//! Source for the order of cuts: Zeller and Hildebrandt 2002, "Simplifying and isolating
//! failure-inducing input".

use super::dfs::Dfs;
use super::failure::Failure;
use super::runner::{Ran, Runner};
use super::schedule::{Decision, Kind};
use super::search::{Bound, Search, usual};
use crate::Choice;

/// Gives the answers of a list, as far as they fit.
pub(super) struct Follow {
    decisions: Vec<Decision>,
    at: usize,
}

impl Follow {
    pub(super) fn new(decisions: Vec<Decision>) -> Follow {
        Follow { decisions, at: 0 }
    }
}

impl Search for Follow {
    fn begin(&mut self) -> bool {
        self.at = 0;
        true
    }

    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        if choice.last() == 0 {
            return 0;
        }
        match self.decisions.get(self.at) {
            Some(decision) if decision.kind == Kind::of(choice) => {
                self.at += 1;
                if decision.answer <= choice.last() { decision.answer } else { usual(choice) }
            }
            // An answer to another kind of question may fit later.
            _ => usual(choice),
        }
    }
}

/// What makes one run better than another, the most important first.
fn cost(ran: &Ran) -> (u64, usize, u64) {
    let sum = ran.decisions.iter().fold(0u64, |sum, d| sum.saturating_add(d.answer));
    (ran.departures, ran.decisions.len(), sum)
}

pub(super) struct Shrink<'a> {
    runner: &'a mut Runner,
    failure: Failure,
    best: Ran,
    left: u64,
    /// How many runs it took.
    pub(super) tried: u64,
}

impl<'a> Shrink<'a> {
    /// Begins with a failing run; `left` is how many runs may be made.
    pub(super) fn new(runner: &'a mut Runner, failure: Failure, ran: Ran, left: u64) -> Shrink<'a> {
        Shrink { runner, failure, best: ran, left, tried: 0 }
    }

    /// The best run found.
    pub(super) fn run(mut self) -> (Ran, u64) {
        loop {
            let before = cost(&self.best);
            self.cut();
            self.lower();
            if cost(&self.best) == before || self.left == 0 {
                break;
            }
        }
        self.search_below();
        (self.best, self.tried)
    }

    /// Tries a list. Keeps it if it fails in the same way and is better.
    fn attempt(&mut self, decisions: Vec<Decision>) -> bool {
        self.try_search(Box::new(Follow::new(decisions)))
    }

    fn try_search(&mut self, search: Box<dyn Search>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.tried += 1;
        self.runner.set_search(search);
        self.runner.begin();
        self.keep()
    }

    fn keep(&mut self) -> bool {
        let ran = self.runner.run();
        let same = ran.failure.as_ref().is_some_and(|failure| failure.is_like(&self.failure));
        let better = same && cost(&ran) < cost(&self.best);
        if better {
            self.best = ran;
        }
        better
    }

    /// Takes stretches out, or makes them usual, the longest first.
    fn cut(&mut self) {
        let mut size = self.best.decisions.len().max(1);
        while size > 0 {
            let mut at = 0;
            while at < self.best.decisions.len() && self.left > 0 {
                let end = (at + size).min(self.best.decisions.len());
                let all = &self.best.decisions;
                let is_usual = all[at..end].iter().all(|decision| decision.answer == 0);
                let mut without = all.clone();
                without.drain(at..end);
                let mut usual = all.clone();
                usual[at..end].iter_mut().for_each(|decision| decision.answer = 0);
                if !(self.attempt(without) || (!is_usual && self.attempt(usual))) {
                    at = end;
                }
            }
            size /= 2;
        }
    }

    /// Makes single answers smaller, inputs by halves.
    fn lower(&mut self) {
        let mut at = 0;
        while at < self.best.decisions.len() && self.left > 0 {
            let answer = self.best.decisions[at].answer;
            let mut gap = answer;
            while gap > 0 && self.left > 0 {
                let Some(answer) = self.best.decisions.get(at).map(|d| d.answer) else { break };
                let mut lower = self.best.decisions.clone();
                lower[at].answer = answer.saturating_sub(gap);
                if answer == 0 || !self.attempt(lower) {
                    gap /= 2;
                }
            }
            at += 1;
        }
    }

    /// Tries all runs with fewer departures, the fewest first.
    fn search_below(&mut self) {
        let faults_and_switches = self.best.departures.min(4) as u32;
        for delays in 0..faults_and_switches {
            self.runner.set_search(Box::new(Dfs::new(Bound::Delays(delays))));
            while self.left > 0 && self.runner.begin() {
                self.left -= 1;
                self.tried += 1;
                if self.keep() {
                    return;
                }
            }
        }
    }
}
