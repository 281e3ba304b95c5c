//! rt-app's steps: who runs when, to the nanosecond, by its documented rules.

use hothouse::Span;
use hothouse::sim::{Run, Simulation, read};

/// From when to when a task used a CPU, in milliseconds.
type Segments = Vec<(u64, u64)>;

/// Runs these tasks twice under this policy.
fn run(policy: &str, cpus: u32, tasks: &str) -> Run {
    let text = format!("{{ \"tasks\": {{ {tasks} }}, \"global\": {{ \"duration\": 1 }} }}");
    let workload = read("test.json", &text).unwrap_or_else(|error| panic!("{error}"));
    let simulation = Simulation::new(workload).policy(policy).cpus(cpus);
    let (first, again) = (simulation.run().unwrap(), simulation.run().unwrap());
    assert_eq!(first.report.hash, again.report.hash, "two runs differ");
    assert_eq!(first.failures, [""; 0]);
    first
}

/// When the task of this number ran, to whole milliseconds.
fn segments(run: &Run, task: usize) -> Segments {
    let ms = |nanos: u64| {
        assert_eq!(nanos % 1_000_000, 0, "a time between milliseconds: {nanos} ns");
        nanos / 1_000_000
    };
    let segments = run.timeline.segments().iter().filter(|segment| segment.task == task);
    segments.map(|segment| (ms(segment.from.nanos()), ms(segment.to.nanos()))).collect()
}

/// A task that overruns its period of 10 ms once, by 15 ms.
fn overrun(mode: &str) -> Segments {
    let timer = format!(r#""timer": {{ "ref": "unique", "period": 10000, "mode": "{mode}" }}"#);
    let tasks = format!(
        r#""late": {{ "loop": 1, "phases": {{
            "long": {{ "run": 25000, {timer} }},
            "short": {{ "loop": 5, "run": 1000, {timer} }}
        }} }}"#
    );
    segments(&run("fifo", 1, &tasks), 0)
}

#[test]
fn a_relative_timer_begins_anew_after_an_overrun() {
    // The grid starts again at 25.
    assert_eq!(overrun("relative"), [(0, 26), (35, 36), (45, 46), (55, 56), (65, 66)]);
}

#[test]
fn an_absolute_timer_keeps_its_grid_after_an_overrun() {
    // The points at 10 and 20 are past: two rounds follow at once, then the grid is met again.
    assert_eq!(overrun("absolute"), [(0, 27), (30, 31), (40, 41), (50, 51)]);
}

#[test]
fn a_timer_is_shared_unless_its_name_begins_with_unique() {
    let tasks = |name: &str| {
        let timer = format!(r#""timer": {{ "ref": "{name}", "period": 10000 }}"#);
        format!(
            r#""a": {{ "loop": 2, "run": 1000, {timer} }}, "b": {{ "loop": 2, "run": 1000, {timer} }}"#
        )
    };
    let own = run("fifo", 2, &tasks("unique_tick"));
    assert_eq!(
        (segments(&own, 0), segments(&own, 1)),
        (vec![(0, 1), (10, 11)], vec![(0, 1), (10, 11)])
    );
    // One of them moves the shared point on to 10, the other to 20.
    let shared = run("fifo", 2, &tasks("tick"));
    assert_eq!(segments(&shared, 0), [(0, 1), (10, 11)]);
    assert_eq!(segments(&shared, 1), [(0, 1), (20, 21)]);
}

#[test]
fn a_timer_counts_from_the_start_of_its_task() {
    let tasks = r#""a": { "delay": 3000, "loop": 2, "run": 1000,
        "timer": { "ref": "unique", "period": 10000 } }"#;
    assert_eq!(segments(&run("fifo", 1, tasks), 0), [(3, 4), (13, 14)]);
}

#[test]
fn a_resume_before_the_suspend_is_lost() {
    // "sleeper" suspends itself at 5. The resume at 2 is lost, that at 12 wakes it.
    let tasks = r#"
        "waker": { "loop": 1, "run1": 2000, "resume1": "sleeper", "run2": 10000, "resume2": "sleeper" },
        "sleeper": { "loop": 1, "run1": 5000, "suspend": "sleeper", "run2": 1000 }"#;
    let run = run("fifo", 2, tasks);
    assert_eq!(segments(&run, 0), [(0, 12)]);
    assert_eq!(segments(&run, 1), [(0, 5), (12, 13)]);
}

#[test]
fn a_semaphore_has_memory() {
    let tasks = r#"
        "poster": { "loop": 1, "run1": 2000, "sem_post": "s" },
        "taker": { "loop": 1, "run1": 5000, "sem_wait": "s", "run2": 1000 }"#;
    assert_eq!(segments(&run("fifo", 2, tasks), 1), [(0, 6)]);
}

#[test]
fn a_barrier_waits_for_all_instances_that_name_it() {
    let tasks = r#"
        "short": { "instance": 2, "loop": 1, "run1": 1000, "barrier": "b", "run2": 1000 },
        "long": { "loop": 1, "run1": 7000, "barrier": "b", "run2": 1000 }"#;
    let run = run("fifo", 3, tasks);
    assert_eq!(segments(&run, 0), [(0, 1), (0, 1), (7, 8), (7, 8)]);
    assert_eq!(segments(&run, 1), [(0, 8)]);
}

#[test]
fn runtime_passes_also_while_others_run() {
    let tasks = r#"
        "busy": { "loop": 1, "runtime": 10000 },
        "other": { "loop": 1, "run": 20000 }"#;
    // It looks at the clock every 100 us of CPU time. Preempted from 5 to 10, it has one such look
    // to go, and then 10 ms have passed, in which it had 5.1 ms of CPU time.
    let run = run("rr:slice=5ms", 1, tasks);
    let jobs = run.metrics.task("busy").unwrap();
    assert_eq!((jobs.turnaround.unwrap().max_ns, jobs.cpu_time_ns), (10_100_000, 5_100_000));
    let alone = self::run("fifo", 2, tasks);
    assert_eq!((segments(&alone, 0), segments(&alone, 1)), (vec![(0, 10)], vec![(0, 20)]));
}

#[test]
fn run_is_cpu_time_whoever_else_runs() {
    let tasks = r#""a": { "loop": 1, "run": 10000 }, "b": { "loop": 1, "run": 20000 }"#;
    let run = run("rr:slice=5ms", 1, tasks);
    assert_eq!(segments(&run, 0), [(0, 5), (10, 15)]);
}

#[test]
fn a_condition_is_signalled_under_its_mutex() {
    let tasks = r#"
        "waiter": { "loop": 1, "lock": "m", "wait": { "ref": "c", "mutex": "m" }, "run": 1000, "unlock": "m" },
        "signaller": { "loop": 1, "run1": 3000, "lock": "m", "signal": "c", "run2": 2000, "unlock": "m" }"#;
    let run = run("fifo", 2, tasks);
    assert_eq!((segments(&run, 0), segments(&run, 1)), (vec![(5, 6)], vec![(0, 5)]));
}

#[test]
fn a_phase_keeps_the_scheduling_of_the_phase_before() {
    let text = r#"{ "tasks": { "a": { "loop": 1, "phases": {
        "first": { "policy": "SCHED_FIFO", "priority": 50, "run": 1000 },
        "second": { "cpus": [0], "run": 1000 }
    } } } }"#;
    let workload = read("test.json", text).unwrap();
    let phases = &workload.tasks[0].phases;
    let second = phases[1].scheduling.as_ref().expect("it changes the CPUs");
    let first = phases[0].scheduling.as_ref().unwrap_or(&workload.tasks[0].scheduling);
    assert_eq!(second.class, first.class);
    assert_ne!(second.cpus, first.cpus);
}

#[test]
fn after_the_end_a_task_runs_on_until_its_locks_are_released() {
    let tasks = r#"
        "holder": { "loop": 1, "run1": 900000, "lock": "m", "run2": 200000, "unlock": "m", "run3": 9000 },
        "other": { "loop": -1, "run": 1000, "timer": { "ref": "unique", "period": 100000 } }"#;
    let run = run("fifo", 2, tasks);
    assert_eq!(run.end.nanos(), Span::from_millis(1_100).nanos());
    assert_eq!(segments(&run, 0), [(0, 1_100)]);
}
