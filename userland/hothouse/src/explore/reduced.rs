//! Depth-first search with partial-order reduction: of schedules that differ only in the order of
//! independent steps, one is run.
//!
//! A step is a trap with all that its process then does by itself, or a timeout. Two steps are
//! dependent if they touch the same kernel object and one of them changes it. The search runs one
//! schedule and looks for races in it: dependent steps of two processes that nothing orders. For each
//! it goes back to before the first of the two, and lets a step that the second needs come first.
//! Steps that were tried there sleep afterwards until a step comes that depends on them.
//!
//! What comes later in virtual time is ordered after all that came before. A step that takes another
//! away that was possible (a kill, an event before a timeout) counts as a race with it.
//!
//! Sources: Flanagan and Godefroid 2005, "Dynamic partial-order reduction for model checking
//! software"; Abdulla, Aronis, Jonsson and Sagonas 2014, "Optimal dynamic partial order reduction"
//! (source sets); Godefroid 1996, "Partial-order methods for the verification of concurrent systems"
//! (sleep sets).

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;
use rustc_hash::{FxBuildHasher, FxHasher};

use super::past::Past;
use super::search::{Actor, MOST_INPUTS, Search, usual};
use crate::trace::{Record, What};
use crate::{Candidate, Choice, Name, Pid, Tick, Touches};

pub(super) struct Reduced {
    path: Vec<Node>,
    /// How many choices of the run were made.
    depth: usize,
    /// The first step whose races are not known yet.
    branch: usize,
    /// The step under way.
    current: Option<usize>,
    /// What came before the next step of each process, in this run.
    pasts: HashMap<Pid, Past, FxBuildHasher>,
    /// Events on their way: to, from, a hash of the name, and the step that sent them.
    sent: Vec<(Pid, Pid, u64, usize)>,
    is_first: bool,
    redundant: bool,
}

/// A choice on the way.
enum Node {
    Step(Step),
    /// A fault or an input, gone through one by one.
    Value {
        answer: u64,
        last: u64,
    },
}

struct Step {
    candidates: Vec<Candidate>,
    marks: Vec<Mark>,
    now: Tick,
    chosen: usize,
    touches: Touches,
    /// Steps that would only repeat what was tried before.
    sleep: Vec<(Actor, Touches)>,
    /// The steps that come before it in every order.
    past: Past,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// No race asks for it.
    Left,
    Wanted,
    Done,
}

impl Step {
    fn pid(&self) -> Pid {
        self.candidates[self.chosen].pid
    }

    fn sleeps(&self, place: usize) -> bool {
        let actor = Actor::from(&self.candidates[place]);
        self.sleep.iter().any(|(asleep, _)| *asleep == actor)
    }

    fn want(&mut self, place: usize) {
        if self.marks[place] == Mark::Left {
            self.marks[place] = Mark::Wanted;
        }
    }

    fn place_of(&self, actor: Actor) -> Option<usize> {
        self.candidates.iter().position(|candidate| Actor::from(candidate) == actor)
    }

    /// Takes the next candidate that is wanted and does not sleep.
    fn advance(&mut self) -> bool {
        self.marks[self.chosen] = Mark::Done;
        let wanted = |&place: &usize| self.marks[place] == Mark::Wanted && !self.sleeps(place);
        let Some(next) = (0..self.candidates.len()).find(wanted) else { return false };
        self.chosen = next;
        self.touches = self.candidates[next].touches;
        true
    }

    /// What sleeps after it.
    fn sleep_after(&self) -> Vec<(Actor, Touches)> {
        let done = (0..self.candidates.len()).filter(|&place| self.marks[place] == Mark::Done);
        let done = done.map(|place| &self.candidates[place]);
        let done = done.map(|candidate| (Actor::from(candidate), candidate.touches));
        let all = self.sleep.iter().copied().chain(done);
        all.filter(|(_, touches)| !touches.depends(self.touches)).collect()
    }
}

impl Reduced {
    pub(super) fn new() -> Reduced {
        Reduced {
            path: Vec::new(),
            depth: 0,
            branch: 0,
            current: None,
            pasts: HashMap::default(),
            sent: Vec::new(),
            is_first: true,
            redundant: false,
        }
    }

    fn step(&self, index: usize) -> Option<&Step> {
        match self.path.get(index)? {
            Node::Step(step) => Some(step),
            Node::Value { .. } => None,
        }
    }

    fn step_mut(&mut self, index: usize) -> &mut Step {
        match &mut self.path[index] {
            Node::Step(step) => step,
            Node::Value { .. } => unreachable!("invariant: the index of a step"),
        }
    }

    /// The answer to what happens next.
    fn next(&mut self, candidates: &[Candidate], now: Tick) -> u64 {
        if let Some(before) = self.current {
            self.want_what_was_taken_away(before, candidates);
        }
        let index = self.depth;
        self.depth += 1;
        if index == self.path.len() {
            self.grow(candidates, now);
            if self.redundant {
                return 0;
            }
        }
        self.current = Some(index);
        self.look_back(index);
        self.step(index).map_or(0, |step| step.chosen as u64)
    }

    /// Adds a step to the path, with the first candidate that does not sleep.
    fn grow(&mut self, candidates: &[Candidate], now: Tick) {
        let before = self.current.and_then(|index| self.step(index));
        let mut step = Step {
            candidates: candidates.to_vec(),
            marks: vec![Mark::Left; candidates.len()],
            now,
            chosen: 0,
            touches: Touches::default(),
            sleep: before.map(Step::sleep_after).unwrap_or_default(),
            past: Past::default(),
        };
        match (0..candidates.len()).find(|&place| !step.sleeps(place)) {
            Some(place) => {
                step.chosen = place;
                step.touches = candidates[place].touches;
                step.want(place);
            }
            None => self.redundant = true,
        }
        self.path.push(Node::Step(step));
    }

    /// A step before which another was possible that is not any more: that one is to be tried.
    fn want_what_was_taken_away(&mut self, before: usize, candidates: &[Candidate]) {
        let step = self.step_mut(before);
        for place in 0..step.candidates.len() {
            let actor = Actor::from(&step.candidates[place]);
            if place != step.chosen && !candidates.iter().any(|now| Actor::from(now) == actor) {
                step.want(place);
            }
        }
    }

    /// Finds out what comes before a step in every order, and what it races with.
    fn look_back(&mut self, index: usize) {
        let Some(step) = self.step(index) else { return };
        let (pid, touches, now) = (step.pid(), step.touches, step.now);
        let actor = Actor::from(&step.candidates[step.chosen]);
        if index < self.branch {
            // The same as in the run before.
            return self.order(index, pid);
        }
        let mut past = self.pasts.get(&pid).cloned().unwrap_or_default();
        for earlier in (0..index).rev() {
            let Some(step) = self.step(earlier) else { continue };
            if step.now < now {
                // What lies earlier in time can't come later, but for a burst that kept the CPU
                // while others could go.
                if step.place_of(actor).is_some() {
                    self.race(earlier, index, &past);
                }
                break;
            }
            if past.has(earlier) || !touches.depends(step.touches) {
                continue;
            }
            self.race(earlier, index, &past);
            let step = self.step(earlier).expect("it is one");
            past.join(&step.past);
            past.add(earlier);
        }
        let mut after = past.clone();
        after.add(index);
        self.pasts.insert(pid, after);
        self.step_mut(index).past = past;
    }

    /// Two steps could come in the other order: something that leads there is to be tried before
    /// the first. `past` is what comes before the second, as far as it lies between them.
    fn race(&mut self, first: usize, second: usize, past: &Past) {
        let mut between: Vec<usize> = Vec::new();
        let mut initials: Vec<Actor> = Vec::new();
        for index in first + 1..=second {
            let Some(step) = self.step(index) else { continue };
            let its_past = if index == second { past } else { &step.past };
            if index != second && (step.past.has(first) || Some(step.pid()) == self.pid(first)) {
                continue;
            }
            if !between.iter().any(|&earlier| its_past.has(earlier)) {
                initials.push(Actor::from(&step.candidates[step.chosen]));
            }
            between.push(index);
        }
        let step = self.step_mut(first);
        let places: Vec<usize> =
            initials.iter().filter_map(|&actor| step.place_of(actor)).collect();
        if places.iter().any(|&place| step.marks[place] != Mark::Left) {
            return;
        }
        match places.last() {
            Some(&place) => step.want(place),
            None => (0..step.candidates.len()).for_each(|place| step.want(place)),
        }
    }

    fn pid(&self, index: usize) -> Option<Pid> {
        self.step(index).map(Step::pid)
    }

    /// The answer to a fault or an input.
    fn value(&mut self, choice: &Choice<'_>) -> u64 {
        if matches!(choice, Choice::Input { last, .. } if *last >= MOST_INPUTS) {
            return usual(choice);
        }
        if self.depth == self.path.len() {
            self.path.push(Node::Value { answer: 0, last: choice.last() });
        }
        self.depth += 1;
        match self.path[self.depth - 1] {
            Node::Value { answer, .. } => answer,
            Node::Step(_) => usual(choice),
        }
    }

    /// From now on a process comes after the step `index`.
    fn order(&mut self, index: usize, pid: Pid) {
        let Some(step) = self.step(index) else { return };
        let mut past = step.past.clone();
        past.add(index);
        self.pasts.entry(pid).or_default().join(&past);
    }
}

impl Search for Reduced {
    fn begin(&mut self) -> bool {
        self.depth = 0;
        self.current = None;
        self.redundant = false;
        self.pasts.clear();
        self.sent.clear();
        if std::mem::take(&mut self.is_first) {
            return true;
        }
        while let Some(node) = self.path.last_mut() {
            let goes_on = match node {
                Node::Step(step) => step.advance(),
                Node::Value { answer, last } => {
                    *answer += 1;
                    answer <= last
                }
            };
            if goes_on {
                self.branch = self.path.len() - 1;
                return true;
            }
            self.path.pop();
        }
        false
    }

    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        match choice {
            Choice::Next { candidates, now, .. } => self.next(candidates, *now),
            Choice::Fault { .. } | Choice::Input { .. } => self.value(choice),
        }
    }

    fn is_redundant(&self) -> bool {
        self.redundant
    }

    fn end(&mut self) {
        if let Some(last) = self.current.filter(|_| !self.redundant) {
            self.want_what_was_taken_away(last, &[]);
        }
        self.current = None;
    }

    fn record(&mut self, record: &Record<'_>) {
        let Some(current) = self.current else { return };
        match record.what {
            What::Woken | What::Spawned { .. } => self.order(current, record.pid),
            What::Sent { to, name, .. } | What::Called { to, name, .. } => {
                self.sent.push((to, record.pid, hash(name), current));
            }
            What::Received { from, name } => {
                let name = hash(name);
                let mut sent = self.sent.iter();
                let at = sent
                    .position(|&(to, by, what, _)| to == record.pid && by == from && what == name);
                if let Some(at) = at {
                    let (.., index) = self.sent.remove(at);
                    self.order(index, record.pid);
                }
            }
            _ => {}
        }
    }
}

fn hash(name: &Name) -> u64 {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    hasher.finish()
}
