//! Fixed priority, round robin among equals.
//!
//! 1. The ready task of the lowest nice level runs first: forty levels, from -20 to 19.
//! 2. Among equals, the order is that of becoming ready; a task whose slice ended or that yielded
//!    goes to the tail of its level.
//! 3. A task that becomes ready preempts, when no CPU is idle, the CPU that runs the worst level, if
//!    that is strictly worse than its own; of several such CPUs, the one of the highest number. With
//!    `preempt=false` it waits until a CPU is free.
//! 4. A preempted task goes to the head of its level and gets what was left of its slice; every
//!    other dispatch starts a fresh one. If its slice ended at that very instant, rule 2 holds.
//! 5. A ready task whose level changes goes to the tail of the new one. A running task whose level
//!    becomes worse than that of a ready one is preempted (unless `preempt=false`).
//!
//! Source: POSIX.1-2017, `SCHED_RR`, with nice levels as priorities.

use hothouse_abi::{Span, Tick};

use super::spec::format_span;
use super::{Asked, CpuId, Links, List, Pick, Policy, Reason, Running, Stop, Task, TaskId, cut};

const LEVELS: usize = 40;

/// Fixed priority, round robin among equals.
///
/// ```
/// use hothouse_kernel::policy::{Policy, Prio};
/// assert_eq!(Prio::default().spec(), "prio:preempt=true,slice=10ms");
/// ```
#[derive(Debug)]
pub struct Prio {
    links: Links,
    levels: [List; LEVELS],
    /// Which levels have ready tasks, a bit each.
    occupied: u64,
    tasks: Vec<Kept>,
    asked: Asked,
    preempt: bool,
    slice: Span,
}

/// What is kept of a task.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// The level that it is queued in.
    level: u8,
    /// What is left of its slice.
    left: Span,
}

impl Prio {
    /// The slice unless another is asked for: 10 ms.
    pub const SLICE: Span = Span::from_millis(10);

    /// With nobody ready.
    ///
    /// # Panics
    ///
    /// If the slice is zero.
    pub fn new(preempt: bool, slice: Span) -> Prio {
        assert!(!slice.is_zero(), "a slice has a length");
        let levels = [List::new(); LEVELS];
        Prio {
            links: Links::new(),
            levels,
            occupied: 0,
            tasks: Vec::new(),
            asked: Asked::default(),
            preempt,
            slice,
        }
    }

    fn kept(&mut self, id: TaskId) -> &mut Kept {
        let index = id.0 as usize;
        if index >= self.tasks.len() {
            self.tasks.resize(index + 1, Kept { level: 0, left: self.slice });
        }
        &mut self.tasks[index]
    }

    fn slice_of(&self, task: &Task) -> Span {
        task.scheduling.slice.unwrap_or(self.slice)
    }

    /// Queues at the head or the tail of the task's level.
    fn push(&mut self, task: &Task, at_head: bool) {
        self.asked.note(task);
        let level = level(task);
        self.kept(task.id).level = level;
        let list = &mut self.levels[usize::from(level)];
        if at_head {
            list.push_front(&mut self.links, task.id);
        } else {
            list.push_back(&mut self.links, task.id);
        }
        self.occupied |= 1 << level;
    }

    /// The first task of the best level that may use a CPU.
    fn first_for(&self, cpu: CpuId) -> Option<TaskId> {
        let mut occupied = self.occupied;
        while occupied != 0 {
            let list = &self.levels[occupied.trailing_zeros() as usize];
            if let Some(task) = self.asked.first(list.iter(&self.links), cpu) {
                return Some(task);
            }
            occupied &= occupied - 1;
        }
        None
    }

    /// Takes a queued task out of the level that it is in, whatever its nice level is now.
    fn remove(&mut self, id: TaskId) {
        let level = self.kept(id).level;
        let list = &mut self.levels[usize::from(level)];
        list.remove(&mut self.links, id);
        if list.is_empty() {
            self.occupied &= !(1 << level);
        }
    }
}

/// The level of a task, 0 first.
fn level(task: &Task) -> u8 {
    (task.nice.clamp(-20, 19) + 20) as u8
}

impl Default for Prio {
    fn default() -> Self {
        Prio::new(true, Prio::SLICE)
    }
}

impl Policy for Prio {
    fn spec(&self) -> String {
        format!("prio:preempt={},slice={}", self.preempt, format_span(self.slice))
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, _now: Tick) {
        let slice = self.slice_of(task);
        let kept = self.kept(task.id);
        let used_up = kept.left.is_zero();
        if used_up {
            kept.left = slice;
        }
        self.push(task, reason == Reason::Preempted && !used_up);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.remove(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        let task = self.first_for(cpu)?;
        self.remove(task);
        Some(Pick { task, slice: Some(self.kept(task).left) })
    }

    fn put_prev(&mut self, task: &Task, _cpu: CpuId, ran: Span, stop: Stop, _now: Tick) {
        let slice = self.slice_of(task);
        let kept = self.kept(task.id);
        let left = kept.left - ran;
        kept.left = if stop == Stop::Preempted { left } else { slice };
    }

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], _now: Tick) -> Option<CpuId> {
        let worst = running.iter().max_by_key(|running| (level(&running.task), running.cpu))?;
        (self.preempt && level(&worst.task) > level(woken)).then_some(worst.cpu)
    }

    fn changed(&mut self, task: &Task, queued: bool, _now: Tick) {
        if queued && self.kept(task.id).level != level(task) {
            self.remove(task.id);
            self.push(task, false);
        }
    }

    fn yields(&mut self, task: &Task, cpu: CpuId, _now: Tick) -> bool {
        let best = self.first_for(cpu).map(|id| self.kept(id).level);
        self.preempt && best.is_some_and(|best| best < level(task))
    }

    fn forget(&mut self, id: TaskId) {
        let slice = self.slice;
        self.kept(id).left = slice;
    }

    fn trim(&mut self, tasks: usize) {
        self.links.trim(tasks);
        cut(&mut self.tasks, tasks);
        self.asked.trim(tasks);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::super::testing::{self, Op};
    use super::*;

    const NOW: Tick = Tick::ZERO;

    proptest! {
        #[test]
        fn the_lowest_nice_level_runs_first(attempts in testing::attempts()) {
            let mut model = vec![VecDeque::<TaskId>::new(); LEVELS];
            let at = |task: &Task| (i32::from(task.nice) + 20) as usize;
            testing::drive(&mut Prio::default(), &attempts, |op| match op {
                Op::Enqueue(task, Reason::Preempted) => model[at(&task)].push_front(task.id),
                Op::Enqueue(task, _) => model[at(&task)].push_back(task.id),
                Op::Dequeue(task) => {
                    model[at(&task)].retain(|&id| id != task.id);
                }
                Op::Changed(task, true) if !model[at(&task)].contains(&task.id) => {
                    model.iter_mut().for_each(|level| level.retain(|&id| id != task.id));
                    model[at(&task)].push_back(task.id);
                }
                Op::Changed(..) => {}
                Op::Pick(pick) => {
                    let first = model.iter_mut().find_map(VecDeque::pop_front);
                    let slice = Some(Span::from_millis(10));
                    assert_eq!(pick, first.map(|task| Pick { task, slice }));
                }
            });
        }

        #[test]
        fn the_worst_level_is_preempted_and_only_by_a_better_one(
            nices in prop::collection::vec(-3..3i8, 1..5),
            nice in -3..3i8,
        ) {
            let running: Vec<_> =
                nices.iter().zip(0..).map(|(&nice, n)| testing::running(n, n + 1, nice)).collect();
            let woken = testing::task(0, nice);
            let worst = *nices.iter().max().unwrap();
            let last = nices.iter().rposition(|&nice| nice == worst).unwrap();
            let expected = (worst > nice).then_some(CpuId(last as u32));
            prop_assert_eq!(Prio::default().wakeup_preempt(&woken, &running, NOW), expected);
            let mut polite = Prio::new(false, Prio::SLICE);
            prop_assert_eq!(polite.wakeup_preempt(&woken, &running, NOW), None);
        }
    }

    /// The slice of a task that ran for so long, left its CPU so, and is picked again.
    fn slice_after(prio: &mut Prio, ran: Span, stop: Stop, reason: Reason) -> Option<Span> {
        let (task, cpu) = (testing::task(0, 0), CpuId(0));
        prio.put_prev(&task, cpu, ran, stop, NOW);
        prio.enqueue(&task, reason, NOW);
        prio.pick_next(cpu, NOW).unwrap().slice
    }

    #[test]
    fn a_preempted_task_gets_what_was_left_of_its_slice() {
        let ms = Span::from_millis;
        let mut prio = Prio::default();
        prio.enqueue(&testing::task(0, 0), Reason::New, NOW);
        assert_eq!(prio.pick_next(CpuId(0), NOW).unwrap().slice, Some(ms(10)));
        let mut after = |ran, stop, reason| slice_after(&mut prio, ran, stop, reason);
        assert_eq!(after(ms(3), Stop::Preempted, Reason::Preempted), Some(ms(7)));
        assert_eq!(after(ms(3), Stop::Preempted, Reason::Preempted), Some(ms(4)));
        assert_eq!(after(ms(4), Stop::Preempted, Reason::Preempted), Some(ms(10)));
        assert_eq!(after(ms(3), Stop::Preempted, Reason::Preempted), Some(ms(7)));
        assert_eq!(after(ms(7), Stop::SliceEnd, Reason::SliceEnd), Some(ms(10)));
        assert_eq!(after(ms(3), Stop::Blocked, Reason::Wakeup), Some(ms(10)));
    }

    #[test]
    fn a_task_preempted_as_its_slice_ends_goes_to_the_tail() {
        let (used_up, equal, cpu) = (testing::task(0, 0), testing::task(1, 0), CpuId(0));
        for (ran, first) in [(Prio::SLICE, equal.id), (Span::from_millis(9), used_up.id)] {
            let mut prio = Prio::default();
            prio.enqueue(&equal, Reason::New, NOW);
            prio.put_prev(&used_up, cpu, ran, Stop::Preempted, NOW);
            prio.enqueue(&used_up, Reason::Preempted, NOW);
            assert_eq!(prio.pick_next(cpu, NOW).unwrap().task, first);
        }
    }

    #[test]
    fn a_number_used_again_has_a_fresh_slice() {
        let mut prio = Prio::default();
        let (task, cpu) = (testing::task(0, 0), CpuId(0));
        prio.put_prev(&task, cpu, Span::from_millis(3), Stop::Preempted, NOW);
        prio.forget(task.id);
        prio.enqueue(&task, Reason::New, NOW);
        assert_eq!(prio.pick_next(cpu, NOW).unwrap().slice, Some(Prio::SLICE));
    }
}
