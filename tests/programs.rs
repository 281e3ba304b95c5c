//! The built-in Rust programs: their whole output is known, and each shows what it is there for.
//!
//! `HOTHOUSE_BLESS=1 cargo test -p hothouse-tests programs` writes the golden files anew.

use hothouse::programs::programs;
use hothouse::{End, Kernel, Tick, Until};
use hothouse_tests::{Run, golden, scenario_with};

/// Starts a built-in program as pid 1.
pub(crate) fn start(kernel: &mut Kernel, name: &str) {
    let builtin = programs().iter().find(|builtin| builtin.name == name);
    let program = (builtin.expect("there is such a program").start)(Vec::new());
    kernel.spawn(name, program).expect("there is room");
}

/// Runs a program until pid 1 has ended, and compares all that it said.
fn run(name: &str) -> Run {
    let run = scenario_with(|builder| builder, |kernel| start(kernel, name), || Until::Done);
    let mut text = run.lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    for line in &run.diagnostics {
        text.push_str(&format!("! {line}\n"));
    }
    if let Some(exit) = run.report.records.iter().find(|exit| exit.pid.number() == 1) {
        text.push_str(&format!("pid 1 {} at {}\n", exit.status, exit.ended_at));
    }
    text.push_str(&format!("end of the run: {}\n", run.end));
    golden(name, &text);
    run
}

/// The texts that were logged, with the names of who logged them.
fn said(run: &Run) -> Vec<(&str, &str)> {
    let parts = run.lines.iter().map(|line| line.splitn(3, ' ').nth(2).expect("time, pid, rest"));
    parts.map(|rest| rest.split_once(": ").expect("name: text")).collect()
}

fn count(run: &Run, text: &str) -> usize {
    said(run).iter().filter(|(_, said)| *said == text).count()
}

#[test]
fn every_builtin_has_a_test() {
    let names: Vec<_> = programs().iter().map(|builtin| builtin.name).collect();
    let tested = [
        "election",
        "philosophers",
        "philosophers-mended",
        "pipeline",
        "service",
        "shutdown",
        "supervisor",
    ];
    assert_eq!(names, tested);
}

#[test]
fn election_has_one_leader_after_the_other() {
    let run = run("election");
    let leaders: Vec<_> = said(&run).into_iter().filter(|(_, text)| *text == "leads").collect();
    assert_eq!(leaders, [("node4", "leads"), ("node3", "leads"), ("node2", "leads")]);
    assert!(matches!(run.end, End::Done));
}

#[test]
fn philosophers_starve_in_a_circle() {
    let run = run("philosophers");
    let End::Deadlock(deadlock) = &run.end else { panic!("{:?}", run.end) };
    assert_eq!(deadlock.cycles.len(), 1);
    assert_eq!(deadlock.cycles[0].len(), 5);
    assert_eq!(count(&run, "eats"), 0);
}

#[test]
fn philosophers_mended_eat() {
    let run = run("philosophers-mended");
    assert!(run.exit(1).status.is_success());
    assert_eq!((count(&run, "eats"), count(&run, "all have eaten")), (5, 1));
}

#[test]
fn pipeline_holds_the_producer_back() {
    let run = run("pipeline");
    let mut under_way = 0;
    for (_, text) in said(&run) {
        match text.split_once(' ') {
            Some(("made", _)) => under_way += 1,
            Some(("used", _)) => under_way -= 1,
            _ => {}
        }
        assert!((0..=3).contains(&under_way), "{under_way} items are under way");
    }
    assert!(said(&run).iter().any(|(who, text)| *who == "producer" && text.starts_with("waited")));
}

#[test]
fn service_answers_all() {
    let run = run("service");
    for number in [1, 2, 3, 11, 12, 13] {
        let answer = format!("the square of {number} is {}", number * number);
        assert_eq!(count(&run, &answer), 1, "{answer}");
    }
    assert_eq!(count(&run, "the service exited 6"), 1);
    assert_eq!(count(&run, "no squares yet"), 6);
}

#[test]
fn shutdown_is_clean_for_one_and_forced_for_the_other() {
    let run = run("shutdown");
    assert_eq!((count(&run, "2 exited 0"), count(&run, "3 signaled SIGKILL")), (1, 1));
    assert_eq!(count(&run, "files closed"), 1);
    assert!(!said(&run).iter().any(|(_, text)| text.starts_with("never seen")));
    // The job in hand is finished, and the time of grace is kept to.
    assert_eq!(run.exit(1).ended_at, Tick::from_nanos(750_000_000));
}

#[test]
fn supervisor_starts_again_what_fails_or_hangs() {
    let run = run("supervisor");
    assert!(run.exit(1).status.is_success());
    assert!(run.report.counters.spawned > 4, "{} processes", run.report.counters.spawned);
    assert!(run.report.counters.signals > 0, "the one that hangs is killed");
}
