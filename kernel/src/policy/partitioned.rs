//! A policy for each CPU: `p-edf` and `p-rm`.
//!
//! 1. A task has a home CPU, which it gets when it is first queued and keeps while it may use it.
//! 2. The home is the first CPU that it may use and on which the test of the policy still holds with
//!    it: for `edf` the utilisation of all is at most 1; for `rm` the product of all (utilisation +
//!    1) is at most 2. If there is none, it is the CPU of the least utilisation.
//! 3. A task that says no runtime and period gets the CPU that is home to the fewest tasks.
//! 4. Among the tasks of one home its own policy decides. Nobody runs elsewhere, even if the other
//!    CPUs are idle.
//!
//! Sources: Dhall and Liu 1978, "On a real-time scheduling problem" (first fit); Bini, Buttazzo and
//! Buttazzo 2003, "Rate monotonic analysis: the hyperbolic bound".

use hothouse_abi::{Span, Tick};

use super::{Burst, CpuId, Edf, Pick, Policy, Reason, Rm, Running, Stop, Task, TaskId, cut};

/// Utilisations in units of 2^-32, rounded down: a load of exactly one must fit.
const ONE: u128 = 1 << 32;

/// Whether tasks of these utilisations can share a CPU.
type Test = fn(&mut dyn Iterator<Item = u128>) -> bool;

/// A policy for each CPU, and a home CPU for each task.
///
/// ```
/// use hothouse_kernel::policy::{Partitioned, Policy};
/// assert_eq!(Partitioned::edf().spec(), "p-edf");
/// ```
pub struct Partitioned {
    make: fn() -> Box<dyn Policy>,
    test: Test,
    each: Vec<Box<dyn Policy>>,
    homes: Vec<Option<Home>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Home {
    cpu: CpuId,
    /// `None` if the task does not say.
    utilisation: Option<u128>,
}

impl Partitioned {
    /// Earliest deadline first on each CPU.
    pub fn edf() -> Partitioned {
        Partitioned::new(|| Box::new(Edf::new()), |all| all.sum::<u128>() <= ONE)
    }

    /// Rate monotonic on each CPU.
    pub fn rm() -> Partitioned {
        let hyperbolic: Test = |all| {
            let mut product = ONE;
            for utilisation in all {
                product = product * (utilisation + ONE) / ONE;
                // It can only grow, and must not overflow.
                if product > 2 * ONE {
                    return false;
                }
            }
            true
        };
        Partitioned::new(|| Box::new(Rm::new()), hyperbolic)
    }

    fn new(make: fn() -> Box<dyn Policy>, test: Test) -> Partitioned {
        Partitioned { make, test, each: vec![make()], homes: Vec::new() }
    }

    fn home(&self, id: TaskId) -> Option<Home> {
        self.homes.get(id.0 as usize).copied().flatten()
    }

    /// The home of a task that has one.
    fn at(&mut self, id: TaskId) -> &mut dyn Policy {
        let home = self.home(id).expect("invariant: what was queued has a home");
        &mut *self.each[home.cpu.0 as usize]
    }

    fn find_home(&self, task: &Task) -> Home {
        let utilisation = utilisation(task);
        let cpus = (0..self.each.len() as u32).map(CpuId).filter(|&cpu| task.may_use(cpu));
        let of = |cpu| {
            let tasks = self.homes.iter().enumerate().filter(|(id, _)| *id != task.id.0 as usize);
            tasks.filter_map(|(_, home)| *home).filter(move |home| home.cpu == cpu)
        };
        let load = |cpu| of(cpu).filter_map(|home| home.utilisation).sum::<u128>();
        let fits = |&cpu: &CpuId| {
            let all = of(cpu).filter_map(|home| home.utilisation);
            (self.test)(&mut all.chain(utilisation))
        };
        let mut cpus = cpus.peekable();
        let first = cpus.peek().copied();
        let cpus: Vec<CpuId> = cpus.collect();
        let home = match utilisation {
            None => cpus.iter().copied().min_by_key(|&cpu| (of(cpu).count(), cpu)),
            Some(_) => cpus
                .iter()
                .copied()
                .find(fits)
                .or_else(|| cpus.iter().copied().min_by_key(|&cpu| (load(cpu), cpu))),
        };
        let cpu = home.or(first).expect("invariant: a task may use a CPU that is there");
        Home { cpu, utilisation }
    }
}

/// What part of a CPU a task needs, if it says so.
fn utilisation(task: &Task) -> Option<u128> {
    let scheduling = &task.scheduling;
    let period = scheduling.period.or(scheduling.deadline)?;
    let runtime = u128::from(scheduling.runtime?.nanos());
    Some(runtime * ONE / u128::from(period.nanos()))
}

impl Policy for Partitioned {
    fn spec(&self) -> String {
        format!("p-{}", self.each[0].spec())
    }

    fn start(&mut self, cpus: u32) {
        self.each = (0..cpus).map(|_| (self.make)()).collect();
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, now: Tick) {
        let index = task.id.0 as usize;
        if index >= self.homes.len() {
            self.homes.resize(index + 1, None);
        }
        let known = self.homes[index]
            .filter(|home| task.may_use(home.cpu) && home.utilisation == utilisation(task));
        let home = known.unwrap_or_else(|| self.find_home(task));
        self.homes[index] = Some(home);
        self.at(task.id).enqueue(task, reason, now);
    }

    fn dequeue(&mut self, task: &Task, now: Tick) {
        self.at(task.id).dequeue(task, now);
    }

    fn pick_next(&mut self, cpu: CpuId, now: Tick) -> Option<Pick> {
        self.each[cpu.0 as usize].pick_next(cpu, now)
    }

    fn put_prev(&mut self, task: &Task, cpu: CpuId, ran: Span, stop: Stop, now: Tick) {
        self.each[cpu.0 as usize].put_prev(task, cpu, ran, stop, now);
    }

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], now: Tick) -> Option<CpuId> {
        let home = self.home(woken.id)?.cpu;
        let place = running.iter().position(|running| running.cpu == home)?;
        self.at(woken.id).wakeup_preempt(woken, &running[place..=place], now)
    }

    fn burst_start(&mut self, task: &Task, cpu: CpuId, now: Tick) -> Burst {
        self.each[cpu.0 as usize].burst_start(task, cpu, now)
    }

    fn changed(&mut self, task: &Task, queued: bool, now: Tick) {
        if self.home(task.id).is_some() {
            self.at(task.id).changed(task, queued, now);
        }
    }

    fn yields(&mut self, task: &Task, cpu: CpuId, now: Tick) -> bool {
        self.each[cpu.0 as usize].yields(task, cpu, now)
    }

    fn forget(&mut self, id: TaskId) {
        if let Some(home) = self.homes.get_mut(id.0 as usize).and_then(Option::take) {
            self.each[home.cpu.0 as usize].forget(id);
        }
    }

    fn trim(&mut self, tasks: usize) {
        cut(&mut self.homes, tasks);
        self.each.iter_mut().for_each(|policy| policy.trim(tasks));
    }
}

impl std::fmt::Debug for Partitioned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partitioned")
            .field("spec", &self.spec())
            .field("homes", &self.homes)
            .finish()
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

    fn task(id: u32, runtime: u64, period: u64) -> Task {
        let (runtime, period) = (Span::from_millis(runtime), Span::from_millis(period));
        let (runtime, period) = (Some(runtime), Some(period));
        let scheduling = Rc::new(Scheduling { runtime, period, ..Scheduling::default() });
        Task { period, scheduling, ..testing::task(id, 0) }
    }

    fn homes(policy: &mut Partitioned, cpus: u32, tasks: &[Task]) -> Vec<u32> {
        policy.start(cpus);
        tasks.iter().for_each(|task| policy.enqueue(task, Reason::New, NOW));
        tasks.iter().map(|task| policy.home(task.id).unwrap().cpu.0).collect()
    }

    #[test]
    fn a_home_is_the_first_cpu_that_passes_the_test() {
        let tasks = [task(0, 6, 10), task(1, 5, 10), task(2, 4, 10), task(3, 9, 10)];
        assert_eq!(homes(&mut Partitioned::edf(), 2, &tasks), [0, 1, 0, 1], "the last nowhere");
        // (0.6 + 1)(0.4 + 1) = 2.24
        assert_eq!(homes(&mut Partitioned::rm(), 3, &tasks[..3]), [0, 1, 2]);
        // 1.5 x 1.25 = 1.875, and x 1.125 = 2.11
        let exact = [task(0, 1, 2), task(1, 1, 4), task(2, 1, 8)];
        assert_eq!(homes(&mut Partitioned::rm(), 2, &exact), [0, 0, 1]);
    }

    #[test]
    fn tasks_that_say_nothing_spread_and_the_bound_stay() {
        let cpus = [1].into_iter().collect();
        let scheduling = Rc::new(Scheduling { cpus, ..Scheduling::default() });
        let bound = Task { scheduling, ..testing::task(9, 0) };
        let mut tasks = vec![bound];
        tasks.extend((0..5).map(|id| testing::task(id, 0)));
        assert_eq!(homes(&mut Partitioned::edf(), 3, &tasks), [1, 0, 2, 0, 1, 2]);
    }

    #[test]
    fn a_number_used_again_finds_a_home_anew() {
        let mut policy = Partitioned::edf();
        assert_eq!(homes(&mut policy, 2, &[task(0, 9, 10), task(1, 9, 10)]), [0, 1]);
        policy.dequeue(&task(0, 9, 10), NOW);
        policy.forget(TaskId(0));
        policy.enqueue(&task(2, 9, 10), Reason::New, NOW);
        assert_eq!(policy.home(TaskId(2)).unwrap().cpu, CpuId(0));
    }

    proptest! {
        #[test]
        fn nobody_runs_or_preempts_away_from_home(
            needs in prop::collection::vec(1..10u64, 1..12),
            cpus in 1..4u32,
        ) {
            let tasks: Vec<_> = (0..).zip(&needs).map(|(id, &need)| task(id, need, 10)).collect();
            let mut policy = Partitioned::edf();
            let homes = homes(&mut policy, cpus, &tasks);
            let late = task(99, 1, 1000);
            let running: Vec<_> = (0..cpus)
                .map(|cpu| Running { task: late.clone(), ..testing::running(cpu, 99, 0) })
                .collect();
            for (task, home) in tasks.iter().zip(&homes) {
                let urgent = Task { deadline: Some(NOW), ..task.clone() };
                let preempted = policy.wakeup_preempt(&urgent, &running, NOW);
                prop_assert_eq!(preempted, Some(CpuId(*home)));
            }
            for cpu in 0..cpus {
                while let Some(pick) = policy.pick_next(CpuId(cpu), NOW) {
                    prop_assert_eq!(homes[pick.task.0 as usize], cpu);
                }
            }
        }
    }
}
