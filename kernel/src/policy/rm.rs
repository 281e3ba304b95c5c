//! Rate monotonic: fixed priority by period.
//!
//! 1. The ready task of the shortest period runs first; those without one after all others. Among
//!    equals, the order is that of becoming ready.
//! 2. A task that becomes ready preempts, when no idle CPU took it, the CPU that runs the longest
//!    period, if that is strictly longer than its own; of several such CPUs, the one of the highest
//!    number. A preempted task goes before its equals.
//! 3. A running task whose period becomes longer than that of a queued one gives its CPU up.
//! 4. On several CPUs there is one queue for all. `p-rm` has one a CPU.
//!
//! Source: Liu and Layland 1973, "Scheduling algorithms for multiprogramming in a hard-real-time
//! environment": of all fixed priorities those by period are best on one CPU, and n tasks miss no
//! deadline if their utilisation is at most n (2^(1/n) - 1).

use hothouse_abi::{Span, Tick};

use super::urgent::Urgent;
use super::{CpuId, Pick, Policy, Reason, Running, Task};

/// Rate monotonic.
///
/// ```
/// use hothouse_kernel::policy::{Rm, Policy};
/// assert_eq!(Rm::new().spec(), "rm");
/// ```
#[derive(Debug)]
pub struct Rm(Urgent<Span>);

impl Rm {
    /// With nobody ready.
    pub fn new() -> Rm {
        Rm(Urgent::new(|task| task.period.unwrap_or(Span::MAX)))
    }
}

impl Default for Rm {
    fn default() -> Self {
        Rm::new()
    }
}

impl Policy for Rm {
    fn spec(&self) -> String {
        "rm".to_string()
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, _now: Tick) {
        self.0.enqueue(task, reason);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.0.remove(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        self.0.pick(cpu).map(|task| Pick { task, slice: None })
    }

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], _now: Tick) -> Option<CpuId> {
        self.0.preempts(woken, running)
    }

    fn changed(&mut self, task: &Task, _queued: bool, _now: Tick) {
        self.0.changed(task);
    }

    fn yields(&mut self, task: &Task, cpu: CpuId, _now: Tick) -> bool {
        self.0.has_better(task, cpu)
    }

    fn trim(&mut self, tasks: usize) {
        self.0.trim(tasks);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use hothouse_abi::Scheduling;
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    const NOW: Tick = Tick::ZERO;

    fn task(id: u32, period: u64) -> Task {
        let period = Some(Span::from_millis(period + 1));
        Task { period, ..testing::task(id, 0) }
    }

    proptest! {
        #[test]
        fn the_shortest_period_runs_first_and_equals_in_order(keys in prop::collection::vec(0..5u64, 1..12)) {
            let mut policy = Rm::new();
            for (id, &key) in (0..).zip(&keys) {
                policy.enqueue(&task(id, key), Reason::New, NOW);
            }
            let mut expected: Vec<_> = keys.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            for (_, id) in expected {
                let pick = policy.pick_next(CpuId(0), NOW).unwrap();
                prop_assert_eq!((pick.task.0, pick.slice), (id, None));
            }
            prop_assert_eq!(policy.pick_next(CpuId(0), NOW), None);
        }

        #[test]
        fn the_least_urgent_is_preempted_and_only_by_a_more_urgent_one(
            keys in prop::collection::vec(0..5u64, 1..5),
            woken in 0..5u64,
        ) {
            let running: Vec<_> = (0..).zip(&keys).map(|(cpu, &key)| Running {
                task: task(cpu + 1, key),
                ..testing::running(cpu, cpu + 1, 0)
            }).collect();
            let worst = *keys.iter().max().unwrap();
            let last = keys.iter().rposition(|&key| key == worst).unwrap() as u32;
            let expected = (worst > woken).then_some(CpuId(last));
            prop_assert_eq!(Rm::new().wakeup_preempt(&task(0, woken), &running, NOW), expected);
        }
    }

    #[test]
    fn a_preempted_task_goes_before_its_equals_and_any_other_behind() {
        let mut policy = Rm::new();
        policy.enqueue(&task(0, 1), Reason::New, NOW);
        policy.enqueue(&task(1, 1), Reason::Preempted, NOW);
        policy.enqueue(&task(2, 1), Reason::Yield, NOW);
        let order: Vec<_> = std::iter::from_fn(|| policy.pick_next(CpuId(0), NOW))
            .map(|pick| pick.task.0)
            .collect();
        assert_eq!(order, [1, 0, 2]);
    }

    #[test]
    fn who_became_less_urgent_than_a_queued_task_yields() {
        let mut policy = Rm::new();
        policy.enqueue(&task(0, 3), Reason::New, NOW);
        assert!(!policy.yields(&task(1, 3), CpuId(0), NOW));
        assert!(policy.yields(&task(1, 4), CpuId(0), NOW));
        policy.changed(&task(0, 9), true, NOW);
        assert!(!policy.yields(&task(1, 4), CpuId(0), NOW));
    }

    #[test]
    fn a_cpu_gets_only_who_may_use_it_and_who_has_no_period_comes_last() {
        let mut policy = Rm::new();
        policy.enqueue(&testing::task(7, 0), Reason::New, NOW);
        let cpus = [1].into_iter().collect();
        let scheduling = Rc::new(Scheduling { cpus, ..Scheduling::default() });
        policy.enqueue(&Task { scheduling, ..task(1, 0) }, Reason::New, NOW);
        policy.enqueue(&task(2, 3), Reason::New, NOW);
        let mut pick = |cpu| policy.pick_next(CpuId(cpu), NOW).map(|pick| pick.task.0);
        assert_eq!((pick(0), pick(1), pick(0), pick(0)), (Some(2), Some(1), Some(7), None));
    }
}
