//! The example programs in Lua: their whole output is known, and each shows what it is there for.
//!
//! `HOTHOUSE_BLESS=1 cargo test -p hothouse-tests lua_programs` writes the golden files anew.

use std::path::{Path, PathBuf};

use hothouse::lua::{LuaHost, LuaSettings};
use hothouse::{End, Kernel, Tick, Until};
use hothouse_tests::{Run, golden, scenario_with};

use crate::lua::texts;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../userland/lua/programs")
}

/// Runs a program until pid 1 has ended, and compares all that it said.
fn run(name: &str) -> Run {
    let set_up = |kernel: &mut Kernel| {
        let host = LuaHost::new(LuaSettings::default());
        let program = host.load(&folder().join(format!("{name}.lua")), vec![]).unwrap();
        kernel.spawn(name, program).unwrap();
    };
    let run = scenario_with(|builder| builder, set_up, || Until::Done);
    let mut text = run.lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    for line in &run.diagnostics {
        // The traceback has the path of this checkout.
        text.push_str(&format!("! {}\n", line.lines().next().unwrap_or_default()));
    }
    if let Some(exit) = run.report.records.iter().find(|exit| exit.pid.number() == 1) {
        text.push_str(&format!("pid 1 {} at {}\n", exit.status, exit.ended_at));
    }
    text.push_str(&format!("end of the run: {}\n", run.end));
    golden(&format!("lua/{name}"), &text);
    run
}

fn count(run: &Run, part: &str) -> usize {
    texts(run).iter().filter(|text| text.contains(part)).count()
}

#[test]
fn every_program_has_a_test() {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let tested = [
        "election",
        "hello",
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
    let leaders: Vec<_> =
        texts(&run).into_iter().filter_map(|text| text.split_once(" leads")).collect();
    let leaders: Vec<_> = leaders.into_iter().map(|(name, _)| name).collect();
    assert_eq!(leaders, ["node4", "node3", "node2"]);
    assert!(matches!(run.end, End::Done));
}

#[test]
fn hello_greets() {
    let run = run("hello");
    assert_eq!(texts(&run)[0], "hello, world");
    assert_eq!(run.exit(1).ended_at, Tick::from_nanos(3_750_000_000));
}

#[test]
fn philosophers_starve_in_a_circle() {
    let run = run("philosophers");
    let End::Deadlock(deadlock) = &run.end else { panic!("{:?}", run.end) };
    assert_eq!(deadlock.cycles.len(), 1);
    assert_eq!(deadlock.cycles[0].len(), 5);
    assert_eq!(count(&run, " eats "), 0);
}

#[test]
fn philosophers_mended_eat() {
    let run = run("philosophers-mended");
    assert_eq!((count(&run, " eats "), count(&run, "all have eaten")), (10, 1));
}

#[test]
fn pipeline_holds_the_producer_back() {
    let run = run("pipeline");
    assert_eq!(count(&run, "the sum is 72"), 1);
    let mut under_way: i32 = 0;
    for text in texts(&run) {
        match text.split_once(' ') {
            Some(("produced", _)) => under_way += 1,
            Some(("consumed", _)) => under_way -= 1,
            _ => {}
        }
        assert!(under_way <= 5, "{under_way} items are under way");
    }
}

#[test]
fn service_answers_all() {
    let run = run("service");
    assert_eq!(count(&run, " + "), 6);
    assert_eq!(count(&run, "2 / 0: cannot divide"), 1);
    assert_eq!(count(&run, "the service ended by signal 15"), 1);
}

#[test]
fn shutdown_is_clean_for_one_and_forced_for_the_other() {
    let run = run("shutdown");
    assert_eq!(count(&run, "polite: the exit hook closes the books"), 1);
    assert_eq!(count(&run, "stubborn gets SIGKILL"), 1);
    assert_eq!(count(&run, "plain ended by signal 15"), 1);
}

#[test]
fn supervisor_starts_again_what_fails_or_hangs() {
    let run = run("supervisor");
    assert_eq!(count(&run, "steady returned done"), 1);
    assert_eq!((count(&run, "started failing"), count(&run, "gave up on failing")), (3, 1));
    assert_eq!((count(&run, "is silent: killed"), count(&run, "gave up on hanging")), (3, 1));
    assert!(!run.lines.iter().any(|line| line.ends_with(' ') || line.contains("  ")));
}
