//! The exit records of a process's children that nobody has read.

use std::collections::VecDeque;

use hashbrown::HashMap;
use hothouse_abi::{Exit, Pid};
use rustc_hash::FxBuildHasher;

/// The most places that are scanned for a record by its pid.
const SCANNED: usize = 32;

/// Exit records, to be taken in the order in which the children ended, or by pid.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// In order of age; `None` was taken. The first is a record, unless there is none. In boxes, as
    /// they are given to the parent: a record is not moved again on its way.
    exits: VecDeque<Option<Box<Exit>>>,
    /// The age of the first.
    first: u64,
    len: usize,
    /// The age of each. It is kept only from the first time on that one is taken by its pid among
    /// many: most parents take what comes.
    ages: Option<Box<HashMap<Pid, u64, FxBuildHasher>>>,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is that of this child, or any.
    pub(super) fn has(&self, pid: Option<Pid>) -> bool {
        match (pid, &self.ages) {
            (None, _) => self.len > 0,
            (Some(pid), Some(ages)) => ages.contains_key(&pid),
            (Some(pid), None) => self.place_of(pid).is_some(),
        }
    }

    pub(super) fn push(&mut self, exit: Box<Exit>) {
        if let Some(ages) = &mut self.ages {
            ages.insert(exit.pid, self.first + self.exits.len() as u64);
        }
        self.exits.push_back(Some(exit));
        self.len += 1;
    }

    /// Takes that of this child, or the oldest.
    pub(super) fn take(&mut self, pid: Option<Pid>) -> Option<Box<Exit>> {
        let place = match pid {
            None => 0,
            Some(pid) if self.ages.is_none() && self.exits.len() <= SCANNED => {
                self.place_of(pid)?
            }
            Some(pid) => {
                let first = self.first;
                (self.ages().get(&pid)? - first) as usize
            }
        };
        let exit = self.exits.get_mut(place)?.take()?;
        self.len -= 1;
        if let Some(ages) = &mut self.ages {
            ages.remove(&exit.pid);
        }
        while let Some(None) = self.exits.front() {
            self.exits.pop_front();
            self.first += 1;
        }
        if self.exits.len() > 2 * self.len + SCANNED {
            self.close_up();
        }
        Some(exit)
    }

    fn place_of(&self, pid: Pid) -> Option<usize> {
        self.exits.iter().position(|exit| exit.as_ref().is_some_and(|exit| exit.pid == pid))
    }

    fn ages(&mut self) -> &mut HashMap<Pid, u64, FxBuildHasher> {
        let (exits, first) = (&self.exits, self.first);
        self.ages.get_or_insert_with(|| {
            let exits = exits.iter().zip(first..);
            let ages = exits.filter_map(|(exit, age)| Some((exit.as_ref()?.pid, age)));
            Box::new(ages.collect())
        })
    }

    /// Removes the places of those that were taken.
    fn close_up(&mut self) {
        self.exits.retain(Option::is_some);
        self.ages = None;
    }
}

#[cfg(test)]
mod tests {
    use hothouse_abi::{ExitStatus, Name, Span, Tick, Value};
    use proptest::prelude::*;

    use super::*;

    fn boxed(pid: u64) -> Box<Exit> {
        Box::new(Exit {
            pid: Pid::new(pid),
            name: Name::short("child"),
            status: ExitStatus::Exited(Value::Nil),
            place: None,
            cpu_time: Span::ZERO,
            ended_at: Tick::ZERO,
        })
    }

    proptest! {
        #[test]
        fn records_behave_as_a_vector(ops in prop::collection::vec((0..10u8, 0..200u64), 0..900)) {
            let mut records = Records::default();
            let mut model = Vec::<u64>::new();
            for (op, pid) in ops {
                let at = model.iter().position(|&other| other == pid);
                match (op, at) {
                    (0, _) => {
                        let oldest = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(records.take(None), oldest.map(boxed));
                    }
                    (1..5, _) => {
                        let wanted = at.map(|at| model.remove(at));
                        prop_assert_eq!(records.take(Some(Pid::new(pid))), wanted.map(boxed));
                    }
                    (_, None) => {
                        records.push(boxed(pid));
                        model.push(pid);
                    }
                    _ => {}
                }
                prop_assert_eq!(records.len(), model.len());
                prop_assert_eq!(records.has(Some(Pid::new(pid))), model.contains(&pid));
                prop_assert_eq!(records.has(None), !model.is_empty());
                prop_assert!(records.exits.len() <= 2 * model.len() + SCANNED);
            }
        }
    }
}
