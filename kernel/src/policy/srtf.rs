//! Shortest remaining time first: shortest job first with preemption.
//!
//! 1. The ready task with the least left of its burst runs first. A burst that isn't known yet counts
//!    as 0, so that its task can say how long it is.
//! 2. Among equals, the order is that of being queued.
//! 3. A task that says how long its burst is keeps its CPU only if all who are queued and may use
//!    that CPU have more left; else it is queued again, now that its length is known.
//! 4. A task that becomes ready preempts, when no idle CPU took it, the CPU whose task has the most
//!    left, if that is strictly more than its own; of several such CPUs, the one of the highest
//!    number.
//! 5. A preempted task is queued by what is left of its burst. No slice ends.
//! 6. A task that yields goes behind all who are queued, so that it can wait for what they do.
//!
//! Source: the classic rule, as in Arpaci-Dusseau and Arpaci-Dusseau, "Operating Systems: Three Easy
//! Pieces", chapter 7 (there: shortest time to completion first). Schrage 1968 proves that no other
//! rule has fewer jobs in the system, at any time, on one CPU.

use hothouse_abi::{Span, Tick};

use super::sjf::{burst_start, key, left};
use super::{Burst, CpuId, Ordered, Pick, Policy, Reason, Running, Task};

/// Shortest remaining time first.
///
/// ```
/// use hothouse_kernel::policy::{Policy, Srtf};
/// assert_eq!(Srtf::new().spec(), "srtf");
/// ```
#[derive(Debug, Default)]
pub struct Srtf {
    ready: Ordered<Span>,
}

impl Srtf {
    /// With nobody ready.
    pub fn new() -> Srtf {
        Srtf::default()
    }
}

impl Policy for Srtf {
    fn spec(&self) -> String {
        "srtf".to_string()
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

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], _now: Tick) -> Option<CpuId> {
        let worst = running.iter().max_by_key(|running| (left(&running.task), running.cpu))?;
        (left(&worst.task) > left(woken)).then_some(worst.cpu)
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
    use proptest::prelude::*;

    use super::super::timeline::{Job, batch, timeline};
    use super::super::{TaskId, testing};
    use super::*;

    const NOW: Tick = Tick::ZERO;
    const CPU: CpuId = CpuId(0);

    /// A task with so much left of its burst; with 0, it isn't known.
    fn task(id: u32, left: u64) -> Task {
        let burst = Some(Span::from_millis(left)).filter(|burst| !burst.is_zero());
        Task { burst, ..testing::task(id, 0) }
    }

    /// The sum of the turnarounds when each millisecond goes to the job with the least left.
    fn least_sum(jobs: &[(u64, u64)]) -> u64 {
        let mut left: Vec<_> = jobs.iter().map(|job| job.1).collect();
        let (mut now, mut sum) = (0, 0);
        while left.iter().any(|&left| left > 0) {
            let here = (0..jobs.len()).filter(|&job| jobs[job].0 <= now && left[job] > 0);
            let next = here.min_by_key(|&job| left[job]);
            now += 1;
            let Some(job) = next else { continue };
            left[job] -= 1;
            if left[job] == 0 {
                sum += now - jobs[job].0;
            }
        }
        sum
    }

    proptest! {
        #[test]
        fn the_least_left_runs_first_and_equals_in_order(bursts in prop::collection::vec(0..5u64, 1..12)) {
            let mut srtf = Srtf::new();
            for (id, &burst) in (0..).zip(&bursts) {
                let reason = if id % 2 == 0 { Reason::New } else { Reason::Preempted };
                srtf.enqueue(&task(id, burst), reason, NOW);
            }
            let mut expected: Vec<_> = bursts.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            for (_, id) in expected {
                let pick = srtf.pick_next(CPU, NOW);
                prop_assert_eq!(pick, Some(Pick { task: TaskId(id), slice: None }));
            }
            prop_assert_eq!(srtf.pick_next(CPU, NOW), None);
        }

        #[test]
        fn the_most_left_is_preempted_and_only_by_less(
            lefts in prop::collection::vec(0..5u64, 1..5),
            woken in 0..5u64,
        ) {
            let running: Vec<_> = (0..).zip(&lefts).map(|(cpu, &left)| Running {
                task: task(cpu + 1, left),
                ..testing::running(cpu, cpu + 1, 0)
            }).collect();
            let most = *lefts.iter().max().unwrap();
            let last = lefts.iter().rposition(|&left| left == most).unwrap() as u32;
            let expected = (most > woken).then_some(CpuId(last));
            prop_assert_eq!(Srtf::new().wakeup_preempt(&task(0, woken), &running, NOW), expected);
        }

        #[test]
        fn who_says_the_length_of_a_burst_keeps_the_cpu_only_before_all_others(
            bursts in prop::collection::vec(0..5u64, 0..5),
            asked in 1..5u64,
        ) {
            let mut srtf = Srtf::new();
            for (id, &burst) in (1..).zip(&bursts) {
                srtf.enqueue(&task(id, burst), Reason::New, NOW);
            }
            let keeps = bursts.iter().all(|&burst| burst > asked);
            let expected = if keeps { Burst::Keep } else { Burst::Requeue };
            prop_assert_eq!(srtf.burst_start(&task(0, asked), CPU, NOW), expected);
        }

        #[test]
        fn the_sum_of_turnarounds_is_the_least(
            jobs in prop::collection::vec((0..20u64, 1..9u64), 1..7),
        ) {
            let (_, turnarounds) = batch(&mut Srtf::new(), &jobs);
            prop_assert_eq!(turnarounds.iter().sum::<u64>(), least_sum(&jobs));
        }
    }

    /// "Three Easy Pieces", figure 7.5: two jobs of 10 that come 10 after one of 100 preempt it; the
    /// mean turnaround is 50.
    #[test]
    fn short_jobs_that_come_late_preempt_the_long_one() {
        let jobs = [Job::batch(0, 100), Job::batch(10, 10), Job::batch(10, 10)];
        let segments = timeline(&mut Srtf::new(), &jobs, 200);
        assert_eq!(segments, [(0, 0, 10), (1, 10, 20), (2, 20, 30), (0, 30, 120)]);
    }

    /// Silberschatz, Galvin and Gagne, section 5.3.2: arrivals 0 1 2 3, bursts 8 4 9 5; the mean
    /// waiting time is 6.5.
    #[test]
    fn four_jobs_that_come_one_by_one() {
        let jobs = [(0, 8), (1, 4), (2, 9), (3, 5)];
        let (_, turnarounds) = batch(&mut Srtf::new(), &jobs);
        let waiting: Vec<_> = turnarounds.iter().zip(jobs).map(|(t, job)| t - job.1).collect();
        assert_eq!(waiting, [9, 0, 15, 2]);
    }

    #[test]
    fn who_yields_goes_behind_all_who_are_queued_and_keeps_no_burst_from_its_cpu() {
        let mut srtf = Srtf::new();
        srtf.enqueue(&task(0, 0), Reason::Yield, NOW);
        assert_eq!(srtf.burst_start(&task(2, 9), CPU, NOW), Burst::Keep);
        srtf.enqueue(&task(1, 9), Reason::New, NOW);
        assert_eq!(srtf.pick_next(CPU, NOW).map(|pick| pick.task), Some(TaskId(1)));
        assert_eq!(srtf.pick_next(CPU, NOW).map(|pick| pick.task), Some(TaskId(0)));
    }

    #[test]
    fn an_equal_does_not_preempt_and_who_was_preempted_counts_by_what_is_left() {
        let jobs = [Job::batch(0, 6), Job::batch(2, 4), Job::batch(3, 1), Job::batch(4, 2)];
        let segments = timeline(&mut Srtf::new(), &jobs, 20);
        assert_eq!(segments[0], (0, 0, 3));
        assert_eq!(segments[1..], [(2, 3, 4), (3, 4, 6), (0, 6, 9), (1, 9, 13)]);
    }
}
