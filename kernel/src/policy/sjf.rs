//! Shortest job first: the shortest next burst, run to block.
//!
//! 1. The ready task whose burst is the shortest runs first. What is left counts, where a part was
//!    served.
//! 2. A burst that isn't known yet counts as 0: such a task runs first, so that it can say how long
//!    its burst is.
//! 3. Among equals, the order is that of being queued.
//! 4. A task that says how long its burst is keeps its CPU only if all who are queued and may use
//!    that CPU have longer ones; else it is queued again, now that its length is known.
//! 5. A task that yields goes behind all who are queued, so that it can wait for what they do.
//! 6. Nobody preempts, and no slice ends: a burst that is under way keeps its CPU.
//!
//! Source: the classic rule, as in Silberschatz, Galvin and Gagne, "Operating System Concepts", and
//! in Arpaci-Dusseau and Arpaci-Dusseau, "Operating Systems: Three Easy Pieces", chapter 7.

use hothouse_abi::{Span, Tick};

use super::{Burst, CpuId, Ordered, Pick, Policy, Reason, Task};

/// Shortest job first.
///
/// ```
/// use hothouse_kernel::policy::{Policy, Sjf};
/// assert_eq!(Sjf::new().spec(), "sjf");
/// ```
#[derive(Debug, Default)]
pub struct Sjf {
    ready: Ordered<Span>,
}

impl Sjf {
    /// With nobody ready.
    pub fn new() -> Sjf {
        Sjf::default()
    }
}

/// What is left of a task's burst; nothing, as long as that isn't known.
pub(super) fn left(task: &Task) -> Span {
    task.burst.unwrap_or_default()
}

/// The key of a task that is queued.
pub(super) fn key(task: &Task, reason: Reason) -> Span {
    if reason == Reason::Yield { Span::MAX } else { left(task) }
}

/// Rule 4.
pub(super) fn burst_start(ready: &Ordered<Span>, task: &Task, cpu: CpuId) -> Burst {
    match ready.first_for(cpu) {
        Some((first, _)) if first <= left(task) => Burst::Requeue,
        _ => Burst::Keep,
    }
}

impl Policy for Sjf {
    fn spec(&self) -> String {
        "sjf".to_string()
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, _now: Tick) {
        self.ready.push(key(task, reason), task);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.ready.remove(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        self.ready.pop_for(cpu).map(|(_, task)| Pick { task, slice: None })
    }

    fn burst_start(&mut self, task: &Task, cpu: CpuId, _now: Tick) -> Burst {
        burst_start(&self.ready, task, cpu)
    }

    fn trim(&mut self, tasks: usize) {
        self.ready.trim(tasks);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::rc::Rc;

    use hothouse_abi::Scheduling;
    use proptest::prelude::*;

    use super::super::testing::{self, Op};
    use super::super::timeline::batch;
    use super::super::{Running, TaskId};
    use super::*;

    const NOW: Tick = Tick::ZERO;
    const CPU: CpuId = CpuId(0);

    /// A task with so much left of its burst; with 0, it isn't known.
    fn task(id: u32, left: u64) -> Task {
        let burst = Some(Span::from_millis(left)).filter(|burst| !burst.is_zero());
        Task { burst, ..testing::task(id, 0) }
    }

    proptest! {
        #[test]
        fn the_shortest_runs_first_and_equals_in_order(bursts in prop::collection::vec(0..5u64, 1..12)) {
            let mut sjf = Sjf::new();
            for (id, &burst) in (0..).zip(&bursts) {
                sjf.enqueue(&task(id, burst), Reason::New, NOW);
            }
            let mut expected: Vec<_> = bursts.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            for (_, id) in expected {
                let pick = sjf.pick_next(CPU, NOW);
                prop_assert_eq!(pick, Some(Pick { task: TaskId(id), slice: None }));
            }
            prop_assert_eq!(sjf.pick_next(CPU, NOW), None);
        }

        #[test]
        fn those_whose_bursts_are_not_known_run_in_order_and_who_yields_behind_them(
            attempts in testing::attempts(),
        ) {
            let mut model = [VecDeque::new(), VecDeque::new()];
            testing::drive(&mut Sjf::new(), &attempts, |op| match op {
                Op::Enqueue(task, Reason::Yield) => model[1].push_back(task.id),
                Op::Enqueue(task, _) => model[0].push_back(task.id),
                Op::Dequeue(task) => {
                    model.iter_mut().for_each(|ready| ready.retain(|&id| id != task.id));
                }
                Op::Changed(..) => {}
                Op::Pick(pick) => {
                    let first = model.iter_mut().find_map(VecDeque::pop_front);
                    let first = first.map(|task| Pick { task, slice: None });
                    assert_eq!(pick, first);
                }
            });
        }

        #[test]
        fn who_says_the_length_of_a_burst_keeps_the_cpu_only_before_all_others(
            bursts in prop::collection::vec(0..5u64, 0..5),
            asked in 1..5u64,
        ) {
            let mut sjf = Sjf::new();
            for (id, &burst) in (1..).zip(&bursts) {
                sjf.enqueue(&task(id, burst), Reason::New, NOW);
            }
            let keeps = bursts.iter().all(|&burst| burst > asked);
            let expected = if keeps { Burst::Keep } else { Burst::Requeue };
            prop_assert_eq!(sjf.burst_start(&task(0, asked), CPU, NOW), expected);
        }

        #[test]
        fn nobody_preempts(left in 1..100u64, woken in 0..100u64) {
            let running = Running { task: task(1, left), ..testing::running(0, 1, 0) };
            prop_assert_eq!(Sjf::new().wakeup_preempt(&task(0, woken), &[running], NOW), None);
        }

        #[test]
        fn no_order_has_a_shorter_mean_turnaround_for_jobs_at_once(
            lengths in prop::collection::vec(1..9u64, 1..6),
        ) {
            let jobs: Vec<_> = lengths.iter().map(|&length| (0, length)).collect();
            let (_, turnarounds) = batch(&mut Sjf::new(), &jobs);
            let mut sorted = lengths.clone();
            sorted.sort_unstable();
            let ends = sorted.iter().scan(0, |end, length| {
                *end += length;
                Some(*end)
            });
            prop_assert_eq!(turnarounds.iter().sum::<u64>(), ends.sum::<u64>());
        }
    }

    #[test]
    fn a_burst_that_only_another_cpu_could_run_first_does_not_matter() {
        let mut sjf = Sjf::new();
        let cpus = [1].into_iter().collect();
        let scheduling = Rc::new(Scheduling { cpus, ..Scheduling::default() });
        sjf.enqueue(&Task { scheduling, ..task(1, 1) }, Reason::New, NOW);
        assert_eq!(sjf.burst_start(&task(0, 5), CPU, NOW), Burst::Keep);
        assert_eq!(sjf.burst_start(&task(0, 5), CpuId(1), NOW), Burst::Requeue);
        assert_eq!(sjf.pick_next(CPU, NOW), None);
        assert_eq!(sjf.pick_next(CpuId(1), NOW).map(|pick| pick.task), Some(TaskId(1)));
    }

    /// The literature's figures: mean first-run latency 3, turnaround 8, waiting 3.
    #[test]
    fn jobs_5_2_8_at_once() {
        let (latencies, turnarounds) = batch(&mut Sjf::new(), &[(0, 5), (0, 2), (0, 8)]);
        assert_eq!(latencies, [2, 0, 7]);
        assert_eq!(turnarounds, [7, 2, 15]);
    }

    /// "Three Easy Pieces", figures 7.3 and 7.4: a job of 100 and two of 10. At once, the mean
    /// turnaround is 50; if the short ones come 10 later, it is 103.33, as nobody preempts.
    #[test]
    fn short_jobs_that_come_late_wait_for_the_long_one() {
        let (_, at_once) = batch(&mut Sjf::new(), &[(0, 100), (0, 10), (0, 10)]);
        assert_eq!(at_once, [120, 10, 20]);
        let (_, late) = batch(&mut Sjf::new(), &[(0, 100), (10, 10), (10, 10)]);
        assert_eq!(late, [100, 100, 110]);
    }
}
