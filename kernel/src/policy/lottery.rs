//! Lottery: the next to run is drawn, each ticket equally likely.
//!
//! 1. Each dispatch draws one ticket, uniformly, among those of the queued tasks that may use the
//!    CPU. A task has its own tickets, at least one, or as many as the weight of its nice level.
//! 2. A draw is made only where there is a choice: of one task nothing is drawn.
//! 3. A task runs for at most one slice of CPU time in a dispatch: its own, or the policy's.
//! 4. Compensation: a task whose last dispatch used only a part of its slice, whatever ended it,
//!    counts tickets * slice / part until it has run again, so that its share of the CPU time, and
//!    not of the dispatches, is that of its tickets. That is exact to 1/1024 of a ticket, and no
//!    task counts more than 2^32 tickets. A dispatch that took no time changes nothing.
//! 5. Nobody preempts, and who becomes ready first decides nothing.
//!
//! In n dispatches with the same competitors, a task with the share p of the tickets wins n p, with
//! the variance n p (1 - p).
//!
//! Source: Waldspurger and Weihl 1994, "Lottery scheduling: flexible proportional-share resource
//! management".

use std::rc::Rc;

use hothouse_abi::{Scheduling, Span, Tick};

use super::spec::format_span;
use super::weights::tickets;
use super::{CpuId, Pick, Policy, Reason, Stop, Task, TaskId, cut};
use crate::stream::Stream;

/// The parts of a ticket that are told apart.
const PARTS: u64 = 1 << 10;

/// The most that a task counts, in parts: 2^22 tasks can count so much before a sum overflows.
const MOST: u64 = PARTS << 32;

/// Lottery scheduling.
///
/// ```
/// use hothouse_kernel::policy::{Lottery, Policy};
/// use hothouse_kernel::{Stream, StreamKind};
/// let lottery = Lottery::new(Lottery::SLICE, Stream::derive(42, StreamKind::Policy, 0));
/// assert_eq!(lottery.spec(), "lottery:slice=10ms");
/// ```
#[derive(Debug)]
pub struct Lottery {
    slice: Span,
    stream: Stream,
    tasks: Vec<Kept>,
    /// What the queued tasks count; zero for the others.
    counts: Sums,
    queued: usize,
    /// How many of the queued tasks may not use every CPU.
    restricted: usize,
}

/// What is kept of a task.
#[derive(Clone, Debug, Default)]
struct Kept {
    scheduling: Rc<Scheduling>,
    /// The slice and the part of it that its last dispatch used, if that was not all.
    part: Option<(Span, Span)>,
}

impl Lottery {
    /// The slice unless another is asked for: 10 ms.
    pub const SLICE: Span = Span::from_millis(10);

    /// With nobody ready; draws from `stream`.
    ///
    /// # Panics
    ///
    /// If the slice is zero.
    pub fn new(slice: Span, stream: Stream) -> Lottery {
        assert!(!slice.is_zero(), "a slice has a length");
        let counts = Sums::default();
        Lottery { slice, stream, tasks: Vec::new(), counts, queued: 0, restricted: 0 }
    }

    fn kept(&mut self, id: TaskId) -> &mut Kept {
        let index = id.0 as usize;
        if index >= self.tasks.len() {
            self.tasks.resize(index + 1, Kept::default());
        }
        &mut self.tasks[index]
    }

    /// What a task counts in a draw, in parts of a ticket.
    fn count(&mut self, task: &Task) -> u64 {
        let own = u64::from(tickets(task).max(1)) * PARTS;
        let Some((slice, used)) = self.kept(task.id).part else { return own };
        let count = u128::from(own) * u128::from(slice.nanos()) / u128::from(used.nanos());
        count.min(u128::from(MOST)) as u64
    }

    fn remove(&mut self, index: usize) {
        self.counts.set(index, 0);
        self.queued -= 1;
        self.restricted -= usize::from(!self.tasks[index].scheduling.cpus.is_all());
    }

    /// The winner among all that are queued.
    fn draw(&mut self) -> Option<usize> {
        let ticket = match self.queued {
            0 => return None,
            1 => 0,
            _ => self.stream.below(self.counts.total()),
        };
        Some(self.counts.holder(ticket))
    }

    /// The winner among those that may use the CPU, in time linear in the number of tasks: only
    /// while a task that is bound to CPUs is queued.
    fn draw_for(&mut self, cpu: CpuId) -> Option<usize> {
        let (tasks, counts) = (&self.tasks, &self.counts);
        let may_use = |&index: &usize| tasks[index].scheduling.cpus.contains(cpu.0);
        let entrants = || (0..tasks.len()).filter(|&index| counts.of(index) > 0).filter(may_use);
        let first = entrants().next()?;
        if entrants().nth(1).is_none() {
            return Some(first);
        }
        let mut ticket = self.stream.below(entrants().map(|index| counts.of(index)).sum());
        entrants().find(|&index| {
            let count = counts.of(index);
            let wins = ticket < count;
            ticket = ticket.saturating_sub(count);
            wins
        })
    }
}

impl Policy for Lottery {
    fn spec(&self) -> String {
        format!("lottery:slice={}", format_span(self.slice))
    }

    fn enqueue(&mut self, task: &Task, _reason: Reason, _now: Tick) {
        let count = self.count(task);
        self.kept(task.id).scheduling = task.scheduling.clone();
        self.counts.set(task.id.0 as usize, count);
        self.queued += 1;
        self.restricted += usize::from(!task.scheduling.cpus.is_all());
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.remove(task.id.0 as usize);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        let index = if self.restricted == 0 { self.draw() } else { self.draw_for(cpu) }?;
        self.remove(index);
        let slice = self.tasks[index].scheduling.slice.unwrap_or(self.slice);
        Some(Pick { task: TaskId(index as u32), slice: Some(slice) })
    }

    fn put_prev(&mut self, task: &Task, _cpu: CpuId, ran: Span, _stop: Stop, _now: Tick) {
        if !ran.is_zero() {
            let slice = task.scheduling.slice.unwrap_or(self.slice);
            self.kept(task.id).part = (ran < slice).then_some((slice, ran));
        }
    }

    fn changed(&mut self, task: &Task, queued: bool, now: Tick) {
        if queued {
            self.dequeue(task, now);
            self.enqueue(task, Reason::Wakeup, now);
        }
    }

    fn forget(&mut self, id: TaskId) {
        *self.kept(id) = Kept::default();
    }

    fn trim(&mut self, tasks: usize) {
        cut(&mut self.tasks, tasks);
    }
}

/// Numbers by index, whose running sums are read and changed in logarithmic time.
///
/// Source: Fenwick 1994, "A new data structure for cumulative frequency tables".
#[derive(Debug, Default)]
struct Sums {
    values: Vec<u64>,
    /// At i, from 1: the sum of the values of the i's lowest set bit's many indices that end with
    /// i - 1. Its length less one is a power of two, or it is empty.
    tree: Vec<u64>,
}

impl Sums {
    fn of(&self, index: usize) -> u64 {
        self.values.get(index).copied().unwrap_or(0)
    }

    /// The sum of all.
    fn total(&self) -> u64 {
        self.tree.last().copied().unwrap_or(0)
    }

    fn set(&mut self, index: usize, value: u64) {
        if index >= self.values.len() {
            self.grow(index + 1);
        }
        let old = std::mem::replace(&mut self.values[index], value);
        let mut at = index + 1;
        while at < self.tree.len() {
            self.tree[at] = self.tree[at] - old + value;
            at += at & at.wrapping_neg();
        }
    }

    /// Makes room for so many values, and as many again.
    fn grow(&mut self, count: usize) {
        let count = count.next_power_of_two();
        self.values.resize(count, 0);
        self.tree = vec![0; count + 1];
        for at in 1..=count {
            self.tree[at] += self.values[at - 1];
            let above = at + (at & at.wrapping_neg());
            if above <= count {
                self.tree[above] += self.tree[at];
            }
        }
    }

    /// The index in whose part of the total the number `at` falls; the total is above it.
    fn holder(&self, mut at: u64) -> usize {
        let mut index = 0;
        let mut step = self.values.len();
        while step > 0 {
            let sum = self.tree.get(index + step).copied().unwrap_or(u64::MAX);
            if sum <= at {
                index += step;
                at -= sum;
            }
            step /= 2;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hothouse_abi::CpuSet;
    use proptest::prelude::*;

    use super::super::testing::{self, Op};
    use super::*;
    use crate::stream::StreamKind;

    const NOW: Tick = Tick::ZERO;
    const CPU: CpuId = CpuId(0);

    fn lottery(seed: u64) -> Lottery {
        Lottery::new(Lottery::SLICE, Stream::derive(seed, StreamKind::Policy, 0))
    }

    fn with(id: u32, change: impl FnOnce(&mut Scheduling)) -> Task {
        let mut task = testing::task(id, 0);
        change(Rc::make_mut(&mut task.scheduling));
        task
    }

    fn with_tickets(id: u32, tickets: u32) -> Task {
        with(id, |scheduling| scheduling.tickets = Some(tickets))
    }

    /// Queues the tasks, draws one, and empties the queue.
    fn winner(lottery: &mut Lottery, tasks: &[Task]) -> usize {
        tasks.iter().for_each(|task| lottery.enqueue(task, Reason::Wakeup, NOW));
        let id = lottery.pick_next(CPU, NOW).unwrap().task;
        tasks.iter().filter(|task| task.id != id).for_each(|task| lottery.dequeue(task, NOW));
        id.0 as usize
    }

    proptest! {
        #[test]
        fn one_of_those_queued_is_picked(attempts in testing::attempts(), seed: u64) {
            let mut model = BTreeSet::new();
            testing::drive(&mut lottery(seed), &attempts, |op| match op {
                Op::Enqueue(task, _) => assert!(model.insert(task.id)),
                Op::Dequeue(task) => assert!(model.remove(&task.id)),
                Op::Changed(..) => {}
                Op::Pick(None) => assert!(model.is_empty()),
                Op::Pick(Some(pick)) => {
                    assert!(model.remove(&pick.task));
                    assert_eq!(pick.slice, Some(Lottery::SLICE));
                }
            });
        }

        #[test]
        fn each_number_falls_to_its_holder(
            sets in prop::collection::vec((0..40usize, 0..5u64), 1..60),
        ) {
            let mut sums = Sums::default();
            let mut model = [0u64; 40];
            for (index, value) in sets {
                sums.set(index, value);
                model[index] = value;
                prop_assert_eq!(sums.total(), model.iter().sum::<u64>());
                let times = |index| std::iter::repeat_n(index, model[index] as usize);
                let all = (0..40).flat_map(times);
                for (at, index) in (0..).zip(all) {
                    prop_assert_eq!(sums.holder(at), index);
                }
            }
        }

        #[test]
        fn only_those_that_may_use_the_cpu_are_drawn(
            sets in prop::collection::vec(
                prop::option::of(prop::collection::vec(0..3u32, 0..3)),
                1..8,
            ),
            cpu in 0..3u32,
            seed: u64,
        ) {
            let mut lottery = lottery(seed);
            let mut wanted = BTreeSet::new();
            for (cpus, id) in sets.into_iter().zip(0..) {
                let cpus = cpus.map_or(CpuSet::all(), |cpus| cpus.into_iter().collect());
                if cpus.contains(cpu) {
                    wanted.insert(TaskId(id));
                }
                lottery.enqueue(&with(id, |scheduling| scheduling.cpus = cpus), Reason::New, NOW);
            }
            let picked: BTreeSet<_> = std::iter::from_fn(|| lottery.pick_next(CpuId(cpu), NOW))
                .map(|pick| pick.task)
                .collect();
            prop_assert_eq!(picked, wanted);
        }

        #[test]
        fn a_part_of_a_slice_is_compensated(own in 1..100_000u32, used in 1..20_000_000u64) {
            let mut lottery = lottery(1);
            let task = with_tickets(0, own);
            let parts = u64::from(own) * PARTS;
            prop_assert_eq!(lottery.count(&task), parts);
            lottery.put_prev(&task, CPU, Span::from_nanos(used), Stop::Blocked, NOW);
            let exact = u128::from(parts) * 10_000_000 / u128::from(used.min(10_000_000));
            let expected = exact.min(u128::from(MOST)) as u64;
            prop_assert_eq!(lottery.count(&task), expected);
            lottery.put_prev(&task, CPU, Span::ZERO, Stop::Blocked, NOW);
            prop_assert_eq!(lottery.count(&task), expected);
            lottery.put_prev(&task, CPU, Lottery::SLICE, Stop::SliceEnd, NOW);
            prop_assert_eq!(lottery.count(&task), parts);
        }
    }

    #[test]
    fn wins_have_the_mean_and_the_variance_of_a_binomial_count() {
        // 2000 counts of 100 draws each, with p = 1/4: mean 25, variance 18.75. The standard error
        // of the mean is 0.097, that of the variance 0.59; the bounds are five of each.
        for restricted in [false, true] {
            let mut lottery = lottery(1);
            let bound = with(2, |scheduling| scheduling.cpus = [1].into_iter().collect());
            if restricted {
                lottery.enqueue(&bound, Reason::New, NOW);
            }
            let tasks = [with_tickets(0, 1), with_tickets(1, 3)];
            let counts: Vec<f64> = (0..2000)
                .map(|_| (0..100).filter(|_| winner(&mut lottery, &tasks) == 0).count() as f64)
                .collect();
            let mean = counts.iter().sum::<f64>() / 2000.0;
            let square = |count: &f64| (count - mean) * (count - mean);
            let variance = counts.iter().map(square).sum::<f64>() / 1999.0;
            assert!((mean - 25.0).abs() < 0.485, "mean {mean}");
            assert!((variance - 18.75).abs() < 2.97, "variance {variance}");
        }
    }

    #[test]
    fn tasks_of_equal_tickets_get_equal_time_however_short_their_dispatches_are() {
        let mut lottery = lottery(2);
        let tasks = [testing::task(0, 0), testing::task(1, 0)];
        let runs = [Span::from_millis(10), Span::from_millis(2)];
        let mut wins = [0u32; 2];
        for _ in 0..60_000 {
            let id = winner(&mut lottery, &tasks);
            wins[id] += 1;
            let stop = [Stop::SliceEnd, Stop::Blocked][id];
            lottery.put_prev(&tasks[id], CPU, runs[id], stop, NOW);
        }
        // The first uses its slice and has a share of one in six, but for the dispatch that starts
        // it all; 457 is five standard deviations of a binomial count.
        assert!(wins[0].abs_diff(10_000) < 457, "{wins:?}");
    }

    #[test]
    fn a_changed_nice_level_counts_at_once() {
        let mut lottery = lottery(1);
        lottery.enqueue(&testing::task(0, 0), Reason::New, NOW);
        lottery.enqueue(&testing::task(1, 0), Reason::New, NOW);
        assert_eq!(lottery.counts.total(), 2 * 1024 * PARTS);
        lottery.changed(&testing::task(1, 5), true, NOW);
        assert_eq!(lottery.counts.total(), (1024 + 335) * PARTS);
    }

    #[test]
    fn nothing_is_drawn_where_there_is_no_choice() {
        let mut lottery = lottery(1);
        let bound = with(1, |scheduling| scheduling.cpus = [1].into_iter().collect());
        lottery.enqueue(&testing::task(0, 0), Reason::New, NOW);
        lottery.pick_next(CPU, NOW);
        lottery.enqueue(&testing::task(0, 0), Reason::New, NOW);
        lottery.enqueue(&bound, Reason::New, NOW);
        lottery.pick_next(CPU, NOW);
        assert_eq!(lottery.pick_next(CPU, NOW), None);
        let mut fresh = Stream::derive(1, StreamKind::Policy, 0);
        assert_eq!(lottery.stream.next_u64(), fresh.next_u64());
    }

    #[test]
    fn a_slice_of_its_own_replaces_the_policys() {
        let mut lottery = lottery(1);
        let slice = Some(Span::from_millis(3));
        let task = with(0, |scheduling| scheduling.slice = slice);
        lottery.enqueue(&task, Reason::New, NOW);
        assert_eq!(lottery.pick_next(CPU, NOW).unwrap().slice, slice);
        lottery.put_prev(&task, CPU, Span::from_millis(3), Stop::SliceEnd, NOW);
        assert_eq!(lottery.count(&task), 1024 * PARTS);
    }

    #[test]
    fn nobody_preempts() {
        let running = [testing::running(0, 1, 19)];
        assert_eq!(lottery(1).wakeup_preempt(&testing::task(0, -20), &running, NOW), None);
    }

    #[test]
    fn a_number_used_again_is_not_compensated() {
        let mut lottery = lottery(1);
        let task = testing::task(0, 0);
        lottery.put_prev(&task, CPU, Span::from_millis(1), Stop::Ended, NOW);
        lottery.forget(task.id);
        assert_eq!(lottery.count(&task), 1024 * PARTS);
    }
}
