//! Simulations of workloads: what they measure, against the kernel's own books and known results.

use hothouse::sim::{
    Dist, MachineSettings, Phase, Run, SimError, Simulation, Step, Task, Workload,
};
use hothouse::{CpuSet, Scheduling, Span};
use proptest::prelude::*;

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

fn run_for(length: u64) -> Step {
    Step::Run(Dist::Const(ms(length)))
}

fn job(name: &str, length: u64) -> Task {
    Task::once(name, vec![run_for(length)])
}

/// A task that runs for `cost` in each `period`, for ever.
fn periodic(name: &str, period: u64, cost: u64) -> Task {
    let timer = Step::Timer {
        reference: "unique".into(),
        per_task: true,
        period: ms(period),
        absolute: true,
    };
    Task { rounds: None, ..Task::once(name, vec![run_for(cost), timer]) }
}

fn workload(tasks: Vec<Task>) -> Workload {
    Workload { tasks, ..Workload::default() }
}

/// Runs it twice, and sees that both runs are the same to the byte.
fn run(simulation: &Simulation) -> Run {
    let first = simulation.run().expect("it can run");
    let second = simulation.run().expect("it can run");
    assert_eq!(first.metrics, second.metrics);
    assert_eq!(first.report.hash, second.report.hash);
    assert_eq!(first.warnings, second.warnings);
    agrees_with_the_kernel(&first);
    first
}

/// The meter reads the trace; the kernel keeps books of its own.
fn agrees_with_the_kernel(run: &Run) {
    let machine = &run.metrics.machine.measured;
    let busy: u64 = run.report.cpus.iter().map(|cpu| cpu.busy.nanos()).sum();
    let init = run.report.processes.iter().filter(|it| it.pid.number() == 1);
    let init: u64 = init.map(|it| it.cpu_time.nanos()).sum();
    assert_eq!(machine.cpu_time_ns + init, busy, "CPU time");
    let overhead: u64 = run.report.cpus.iter().map(|cpu| cpu.overhead.nanos()).sum();
    assert_eq!(machine.overhead_ns, overhead, "time of switches");
    let switches = machine.voluntary_switches + machine.involuntary_switches;
    assert_eq!(switches, run.report.counters.switches, "switches");
    assert_eq!(machine.migrations, run.report.counters.migrations, "migrations");
}

#[test]
fn jobs_of_the_book() {
    let jobs = || workload(vec![job("a", 5), job("b", 2), job("c", 8)]);
    for (policy, first_run, turnaround, waiting) in [
        ("fifo", 4.0, 9.0, 4.0),
        ("sjf", 3.0, 8.0, 3.0),
        ("rr:slice=1ms", 1.0, 31.0 / 3.0, 16.0 / 3.0),
    ] {
        let run = run(&Simulation::new(jobs()).policy(policy));
        let measured = &run.metrics.machine.measured;
        let mean = |latency: Option<hothouse::sim::Latency>| latency.unwrap().mean_ns / 1e6;
        assert!((mean(measured.first_run_latency) - first_run).abs() < 1e-9, "{policy}");
        assert!((mean(measured.turnaround) - turnaround).abs() < 1e-9, "{policy}");
        assert!((mean(measured.waiting) - waiting).abs() < 1e-9, "{policy}");
        assert_eq!(measured.makespan_ns, Some(15_000_000));
        assert_eq!(run.metrics.machine.utilisation, 1.0);
    }
}

#[test]
fn periodic_tasks_have_jobs_with_deadlines() {
    let tasks = || workload(vec![periodic("a", 7, 3), periodic("b", 12, 3), periodic("c", 20, 5)]);
    let responses = |policy: &str| {
        let run = run(&Simulation::new(tasks()).policy(policy).duration(ms(420)));
        assert_eq!(run.metrics.machine.measured.misses, 0);
        let worst = |task: &hothouse::sim::TaskMetrics| task.measured.turnaround.unwrap().max_ns;
        run.metrics.tasks.iter().map(|task| worst(task) / 1_000_000).collect::<Vec<_>>()
    };
    assert_eq!(responses("rm"), [3, 6, 20]);
    responses("edf");
    let tight = workload(vec![periodic("a", 5, 2), periodic("b", 7, 4)]);
    let run_tight =
        |policy: &str| run(&Simulation::new(tight.clone()).policy(policy).duration(ms(35)));
    let missed = run_tight("rm");
    let late = missed.metrics.task("b").unwrap();
    assert_eq!((late.misses, late.lateness.unwrap().max_ns), (1, 1_000_000));
    assert_eq!(run_tight("edf").metrics.machine.measured.misses, 0);
}

#[test]
fn an_unfinished_job_whose_deadline_came_is_a_miss() {
    // A job of 50 ms every 10 ms: at 100 ms the second has just been done, and eight are to come.
    let run = run(&Simulation::new(workload(vec![periodic("a", 10, 60)])).duration(ms(100)));
    let task = run.metrics.task("a").unwrap();
    assert_eq!((task.jobs, task.unfinished, task.misses), (1, 1, 2));
    assert_eq!(task.miss_ratio, Some(1.0));
    assert_eq!(task.tardiness.unwrap().max_ns, 50_000_000);
}

#[test]
fn a_job_is_done_when_its_service_is() {
    // The second job of "a" comes at the instant at which the burst of "b" ends, and preempts it
    // before it can say that it is done. Rate monotonic misses nothing at U = 1 if periods are
    // harmonic (Liu and Layland 1973).
    let rounds = |task: Task, rounds| Task { rounds: Some(rounds), ..task };
    let tasks = vec![rounds(periodic("a", 2, 1), 10), rounds(periodic("b", 4, 2), 5)];
    for policy in ["rm", "edf", "p-rm"] {
        let run = run(&Simulation::new(workload(tasks.clone())).policy(policy));
        let of = |name: &str| run.metrics.task(name).unwrap();
        assert_eq!((of("a").jobs, of("b").jobs), (10, 5), "{policy}");
        assert_eq!((of("a").misses, of("b").misses), (0, 0), "{policy}");
        assert!(of("b").turnaround.unwrap().max_ns <= 4_000_000, "{policy}");
        assert_eq!(run.metrics.machine.measured.unfinished, 0);
        assert_eq!(run.end.nanos(), 20_000_000);
    }
}

#[test]
fn a_wait_at_the_start_or_at_the_end_is_no_job() {
    let sleep = |length| Step::Sleep(Dist::Const(ms(length)));
    let steps = vec![sleep(5), run_for(1), sleep(5), run_for(2), sleep(5)];
    let sleepy = Task { rounds: Some(2), ..Task::once("sleepy", steps) };
    let run = run(&Simulation::new(workload(vec![sleepy])).keep_jobs(10));
    let times: Vec<_> =
        run.jobs.iter().map(|it| (it.release_ns / 1_000_000, it.finish_ns / 1_000_000)).collect();
    // Between the two rounds stand two sleeps, and a job of no length between them.
    assert_eq!(times, [(5, 6), (11, 13), (18, 18), (23, 24), (29, 31)]);
    assert_eq!(run.end.nanos(), 36_000_000);
}

#[test]
fn the_lifetime_is_the_sum_of_its_parts() {
    let sleepy = Task::once("sleepy", vec![Step::Sleep(Dist::Const(ms(5))), run_for(3)]);
    let run = run(&Simulation::new(workload(vec![sleepy, job("long", 20)])));
    let sleepy = run.metrics.task("sleepy").unwrap();
    // It waits behind the long job until 20, and runs until 23.
    assert_eq!(sleepy.blocked_ns, 5_000_000);
    assert_eq!(sleepy.ready_ns, 15_000_000);
    assert_eq!(sleepy.cpu_time_ns, 3_000_000);
    let wake_up = sleepy.wake_up_latency.unwrap();
    assert_eq!((wake_up.mean_ns, wake_up.max_ns), (15_000_000.0, 15_000_000));
}

#[test]
fn switches_are_counted_by_who_wanted_them() {
    let both = || workload(vec![job("a", 20), job("b", 20)]);
    let run_slices = run(&Simulation::new(both()).policy("rr:slice=5ms"));
    let measured = &run_slices.metrics.machine.measured;
    // Seven switches between eight slices; the last is of one that ended.
    assert_eq!((measured.voluntary_switches, measured.involuntary_switches), (1, 6));
    let two = run(&Simulation::new(both()).policy("rr:slice=5ms").cpus(2));
    assert_eq!(two.report.counters.switches, 0);
}

#[test]
fn what_can_not_run_is_told_before() {
    let endless = Simulation::new(workload(vec![periodic("a", 10, 1)]));
    assert!(matches!(endless.run(), Err(SimError::Endless(name)) if name == "a"));
    let unknown = Simulation::new(workload(vec![job("a", 1)])).policy("fif").run();
    assert!(unknown.unwrap_err().to_string().contains("\"fifo\""));
    let scheduling = Scheduling { cpus: CpuSet::from_iter([3]), ..Scheduling::default() };
    let lost = Task { scheduling, ..job("a", 1) };
    let error = Simulation::new(workload(vec![lost])).cpus(2).run().unwrap_err().to_string();
    assert!(error.contains("\"a\"") && error.contains('3') && error.contains('2'), "{error}");
    let nobody = Task::once("a", vec![Step::Fork("b".into())]);
    assert!(
        matches!(Simulation::new(workload(vec![nobody])).run(), Err(SimError::NoTask(b)) if b == "b")
    );
}

#[test]
fn a_failure_in_a_task_is_in_the_result() {
    let unlocks = Task::once("a", vec![run_for(1), Step::Unlock("m".into())]);
    let run = run(&Simulation::new(workload(vec![unlocks, job("b", 1)])));
    assert!(run.has_failed());
    assert_eq!(run.failed, 1);
    assert!(run.failures[0].contains("step 2, unlock"), "{:?}", run.failures);
    let kept = Task::once("a", vec![Step::Lock("m".into()), run_for(1)]);
    let run = self::run(&Simulation::new(workload(vec![kept])));
    assert_eq!(run.warnings, ["task \"a\" ended with the mutex \"m\" locked"]);
}

#[test]
fn an_interrupt_before_the_first_task_is_not_lost() {
    let interrupt = hothouse::Interrupt::default();
    let endless = Simulation::new(workload(vec![periodic("a", 10, 1)])).duration(ms(60_000));
    interrupt.raise();
    let run = endless.interrupt(interrupt).run().expect("it can run");
    assert!(run.interrupted && run.end == hothouse::Tick::ZERO, "{run}");
}

#[test]
fn a_deadlock_is_told() {
    let locks = |first: &str, second: &str| {
        vec![Step::Lock(first.into()), run_for(2), Step::Lock(second.into())]
    };
    let tasks = vec![Task::once("a", locks("m", "n")), Task::once("b", locks("n", "m"))];
    let run = run(&Simulation::new(workload(tasks)).policy("rr:slice=1ms"));
    let deadlock = run.deadlock.expect("a deadlock").to_string();
    assert!(deadlock.contains("a ") && !deadlock.contains("workload"), "{deadlock}");
}

/// Tasks that arrive at random, with work drawn from a law, and sleep between two bursts.
fn random_workload(sleep: u64, tasks: u32, instances: u32) -> Workload {
    let mean = |it: u64| Dist::Exp { mean: ms(it) };
    let task = |index: u32| {
        let steps = vec![Step::Run(mean(4)), Step::Sleep(mean(sleep)), Step::Run(mean(2))];
        let phase = Phase { name: "p".into(), rounds: 3, scheduling: None, steps };
        Task {
            instances,
            every: Some(mean(20)),
            phases: vec![phase],
            ..job(&format!("t{index}"), 1)
        }
    };
    workload((0..tasks).map(task).collect())
}

const POLICIES: [&str; 18] = [
    "fifo",
    "rr",
    "prio",
    "sjf",
    "srtf",
    "mlfq",
    "bsdmlfq",
    "lottery",
    "stride",
    "cfs",
    "eevdf",
    "edf",
    "p-edf",
    "rm",
    "p-rm",
    "random",
    "rr:slice=1ms",
    "mlfq:levels=2,stay=true",
];

#[test]
fn the_same_arrivals_and_the_same_work_under_every_policy() {
    let simulation = Simulation::new(random_workload(5, 4, 10)).seed(7).keep_jobs(10_000);
    let work = |policy: &str| {
        let run = run(&simulation.clone().policy(policy));
        run.metrics.tasks.iter().map(|task| task.measured.cpu_time_ns).collect::<Vec<_>>()
    };
    let expected = work("fifo");
    for policy in POLICIES {
        assert_eq!(work(policy), expected, "{policy}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The meter and the kernel agree, whatever the costs; Little's law and the sum of the parts are
    /// asserted by the simulator itself.
    #[test]
    fn the_books_agree(
        seed: u64,
        policy in proptest::sample::select(&POLICIES[..]),
        cpus in 1u32..4,
        costs in prop::array::uniform3(0u64..200),
        cut in prop::option::of(1u64..300),
    ) {
        let micros = |index: usize| Some(Span::from_micros(costs[index]));
        let mut workload = random_workload(3, 3, 5);
        workload.machine = MachineSettings {
            trap_cost: micros(0),
            switch_cost: micros(1),
            migration_cost: micros(2),
            duration: cut.map(ms),
            ..MachineSettings::default()
        };
        let simulation = Simulation::new(workload).policy(policy).cpus(cpus).seed(seed);
        let run = simulation.run().unwrap();
        if cut.is_none() {
            agrees_with_the_kernel(&run);
            prop_assert_eq!(run.metrics.machine.measured.unfinished, 0);
        }
    }
}
