//! Depth-first search through all schedules within a bound, without any reduction.

use super::search::{Bound, MOST_INPUTS, Search, usual};
use crate::Choice;

pub(super) struct Dfs {
    bound: Bound,
    path: Vec<Node>,
    /// How many choices of the run were made.
    depth: usize,
    /// What the choices so far cost.
    spent: u64,
    is_first: bool,
}

/// A choice on the way.
struct Node {
    answer: u64,
    last: u64,
    cost: Cost,
    /// What the choices before it cost.
    spent: u64,
}

/// What an answer costs of the bound.
#[derive(Clone, Copy)]
enum Cost {
    Nothing,
    /// 1 for every answer but 0.
    Other,
    /// As much as the answer is.
    Place,
}

impl Cost {
    fn of(self, answer: u64) -> u64 {
        match self {
            Cost::Nothing => 0,
            Cost::Other => u64::from(answer > 0),
            Cost::Place => answer,
        }
    }
}

impl Dfs {
    pub(super) fn new(bound: Bound) -> Dfs {
        Dfs { bound, path: Vec::new(), depth: 0, spent: 0, is_first: true }
    }

    fn cost(&self, choice: &Choice<'_>) -> Cost {
        match (self.bound, choice) {
            (Bound::None | Bound::Steps(_), _) | (_, Choice::Input { .. }) => Cost::Nothing,
            (_, Choice::Fault { .. }) => Cost::Other,
            (Bound::Preemptions(_), Choice::Next { goes_on: true, .. }) => Cost::Other,
            (Bound::Preemptions(_), Choice::Next { .. }) => Cost::Nothing,
            (Bound::Delays(_), Choice::Next { .. }) => Cost::Place,
        }
    }

    fn allows(&self, spent: u64) -> bool {
        match self.bound {
            Bound::Preemptions(most) | Bound::Delays(most) => spent <= u64::from(most),
            Bound::None | Bound::Steps(_) => true,
        }
    }
}

impl Search for Dfs {
    fn begin(&mut self) -> bool {
        self.depth = 0;
        self.spent = 0;
        if std::mem::take(&mut self.is_first) {
            return true;
        }
        while let Some(node) = self.path.last() {
            let (answer, spent) = (node.answer + 1, node.spent);
            if node.answer < node.last && self.allows(spent + node.cost.of(answer)) {
                self.path.last_mut().expect("it is there").answer = answer;
                return true;
            }
            self.path.pop();
        }
        false
    }

    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        let many = matches!(choice, Choice::Input { last, .. } if *last >= MOST_INPUTS);
        let late = matches!(self.bound, Bound::Steps(most) if self.depth >= most as usize);
        if many || late {
            return usual(choice);
        }
        if self.depth == self.path.len() {
            let cost = self.cost(choice);
            self.path.push(Node { answer: 0, last: choice.last(), cost, spent: self.spent });
        }
        let node = &self.path[self.depth];
        self.depth += 1;
        self.spent = node.spent + node.cost.of(node.answer);
        node.answer
    }
}
