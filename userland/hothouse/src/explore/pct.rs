//! Probabilistic concurrency testing: a bug of depth d among n processes and k choices is found in
//! one run with a probability of at least 1 / (n k^(d-1)).
//!
//! 1. Each process gets a random priority when it first can go on, above all priorities to come; so
//!    does each timeout, as if it were a process.
//! 2. The candidate of the highest priority is chosen.
//! 3. At d - 1 choices, drawn uniformly among the first k, the candidate that would be chosen gets a
//!    priority below all others first. k is the greatest number of choices of a run so far.
//!
//! Source: Burckhardt, Kothari, Musuvathi and Nagarakatte 2010, "A randomized scheduler with
//! probabilistic guarantees of finding bugs".

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::random::{draw, stream};
use super::search::{Actor, Search};
use crate::{Candidate, Choice, Stream};

pub(super) struct Pct {
    depth: u32,
    seed: u64,
    run: u64,
    stream: Stream,
    /// Those that were not changed have priorities of at least `depth`.
    priorities: HashMap<Actor, u64, FxBuildHasher>,
    /// At which choices a priority changes, in order.
    changes: Vec<u64>,
    next_change: usize,
    choices: u64,
    most_choices: u64,
}

impl Pct {
    pub(super) fn new(seed: u64, depth: u32) -> Pct {
        Pct {
            depth: depth.max(1),
            seed,
            run: 0,
            stream: stream(seed, 0),
            priorities: HashMap::default(),
            changes: Vec::new(),
            next_change: 0,
            choices: 0,
            most_choices: 1,
        }
    }

    fn highest(&mut self, candidates: &[Candidate]) -> usize {
        let mut best = (0, 0);
        for (place, candidate) in candidates.iter().enumerate() {
            let (stream, floor) = (&mut self.stream, u64::from(self.depth));
            let priority = self
                .priorities
                .entry(Actor::from(candidate))
                .or_insert_with(|| floor + (stream.next_u64() >> 1));
            best = best.max((*priority, candidates.len() - place));
        }
        candidates.len() - best.1
    }
}

impl Search for Pct {
    fn begin(&mut self) -> bool {
        self.most_choices = self.most_choices.max(self.choices);
        self.stream = stream(self.seed, self.run);
        self.run += 1;
        self.choices = 0;
        self.priorities.clear();
        self.changes.clear();
        let (stream, most) = (&mut self.stream, self.most_choices);
        self.changes.extend((1..self.depth).map(|_| 1 + stream.below(most)));
        self.changes.sort_unstable();
        self.next_change = 0;
        true
    }

    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        let Choice::Next { candidates, .. } = choice else {
            return draw(&mut self.stream, choice);
        };
        self.choices += 1;
        let mut place = self.highest(candidates);
        while self.changes.get(self.next_change) == Some(&self.choices) {
            self.next_change += 1;
            let low = u64::from(self.depth) - self.next_change as u64;
            self.priorities.insert(Actor::from(&candidates[place]), low);
            place = self.highest(candidates);
        }
        place as u64
    }
}
