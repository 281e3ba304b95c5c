//! Uniform choice, for exploration.
//!
//! 1. Each ready task is equally likely to be picked, however long it is ready and whatever made it
//!    so.
//! 2. A draw is made only where there is a choice: of one ready task nothing is drawn.
//! 3. A task keeps its CPU until it blocks, ends, stops or yields. Nobody preempts.

use hothouse_abi::Tick;

use super::{Asked, CpuId, Pick, Policy, Reason, Task, TaskId, cut};
use crate::stream::{Stream, StreamKind};

/// Uniform choice.
///
/// ```
/// use hothouse_kernel::policy::{Policy, Random};
/// assert_eq!(Random::seeded(7).spec(), "random:seed=7");
/// ```
#[derive(Debug)]
pub struct Random {
    /// In an order that only the calls so far decide.
    ready: Vec<TaskId>,
    /// Where in `ready` each queued task is.
    places: Vec<u32>,
    asked: Asked,
    stream: Stream,
    seed: Option<u64>,
}

impl Random {
    /// Draws from `stream`.
    pub fn new(stream: Stream) -> Random {
        Random {
            ready: Vec::new(),
            places: Vec::new(),
            asked: Asked::default(),
            stream,
            seed: None,
        }
    }

    /// Draws from a stream with a seed of its own, whatever the machine's is.
    pub fn seeded(seed: u64) -> Random {
        let stream = Stream::derive(seed, StreamKind::Policy, 0);
        Random { seed: Some(seed), ..Random::new(stream) }
    }

    fn take(&mut self, place: usize) -> TaskId {
        let task = self.ready.swap_remove(place);
        if let Some(moved) = self.ready.get(place) {
            self.places[moved.0 as usize] = place as u32;
        }
        task
    }
}

impl Policy for Random {
    fn spec(&self) -> String {
        self.seed.map_or("random".to_string(), |seed| format!("random:seed={seed}"))
    }

    fn enqueue(&mut self, task: &Task, _reason: Reason, _now: Tick) {
        self.asked.note(task);
        let index = task.id.0 as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, 0);
        }
        self.places[index] = self.ready.len() as u32;
        self.ready.push(task.id);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        let place = self.places[task.id.0 as usize] as usize;
        assert!(self.ready.get(place) == Some(&task.id), "only a queued task is taken out");
        self.take(place);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        let places = || (0..self.ready.len()).filter(|&at| self.asked.allows(self.ready[at], cpu));
        let count = if self.asked.is_empty() { self.ready.len() } else { places().count() };
        let nth = match count {
            0 => return None,
            1 => 0,
            count => self.stream.below(count as u64) as usize,
        };
        let place = if self.asked.is_empty() { nth } else { places().nth(nth)? };
        Some(Pick { task: self.take(place), slice: None })
    }

    fn trim(&mut self, tasks: usize) {
        cut(&mut self.places, tasks);
        self.asked.trim(tasks);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::testing::{self, Op};
    use super::*;

    proptest! {
        #[test]
        fn one_of_those_ready_is_picked(attempts in testing::attempts(), seed: u64) {
            let mut model = BTreeSet::new();
            testing::drive(&mut Random::seeded(seed), &attempts, |op| match op {
                Op::Enqueue(task, _) => assert!(model.insert(task.id)),
                Op::Dequeue(task) => assert!(model.remove(&task.id)),
                Op::Changed(..) => {}
                Op::Pick(None) => assert!(model.is_empty()),
                Op::Pick(Some(pick)) => {
                    assert!(model.remove(&pick.task));
                    assert_eq!(pick.slice, None);
                }
            });
        }

        #[test]
        fn the_same_seed_picks_the_same(attempts in testing::attempts(), seed: u64) {
            let picks = || {
                let mut picks = Vec::new();
                testing::drive(&mut Random::seeded(seed), &attempts, |op| {
                    if let Op::Pick(pick) = op {
                        picks.push(pick);
                    }
                });
                picks
            };
            prop_assert_eq!(picks(), picks());
        }
    }

    #[test]
    fn each_is_equally_likely() {
        let mut random = Random::seeded(1);
        let mut counts = [0u32; 4];
        for _ in 0..40_000 {
            (0..4).for_each(|id| random.enqueue(&testing::task(id, 0), Reason::New, Tick::ZERO));
            let first = random.pick_next(CpuId(0), Tick::ZERO).unwrap();
            counts[first.task.0 as usize] += 1;
            while random.pick_next(CpuId(0), Tick::ZERO).is_some() {}
        }
        // Five standard deviations of a binomial count.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 433), "{counts:?}");
    }

    #[test]
    fn nothing_is_drawn_where_there_is_no_choice() {
        let mut random = Random::seeded(1);
        random.enqueue(&testing::task(0, 0), Reason::New, Tick::ZERO);
        random.pick_next(CpuId(0), Tick::ZERO);
        random.pick_next(CpuId(0), Tick::ZERO);
        let mut fresh = Stream::derive(1, StreamKind::Policy, 0);
        assert_eq!(random.stream.next_u64(), fresh.next_u64());
    }
}
