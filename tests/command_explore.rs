//! `hothouse explore` and `hothouse replay`, from end to end.

use std::path::Path;

use serde_json::Value as Json;

use crate::command::{Ran, command, lua_file};

fn bug(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("bugs").join(format!("{name}.lua"));
    path.to_str().expect("text").to_owned()
}

/// The schedule in what `explore` printed.
fn schedule(ran: &Ran) -> String {
    let line = ran.out.lines().find_map(|line| line.strip_prefix("schedule  "));
    line.unwrap_or_else(|| panic!("no schedule in {}", ran.out)).to_owned()
}

#[test]
fn a_failure_is_told_and_its_schedule_repeats_it() {
    let found = command(&["explore", "--strategy", "dfs", &bug("check-then-act")]);
    assert_eq!(found.code, Some(1), "{}", found.err);
    for part in ["schedules tried", "the service runs twice", "goes first", "takes the name"] {
        assert!(found.out.contains(part), "{part}: {}", found.out);
    }
    let schedule = schedule(&found);
    assert!(found.out.contains(&format!("repeat    hothouse replay {schedule}\n")));
    let again = command(&["replay", &schedule]);
    assert_eq!(again.code, Some(1), "{}", again.err);
    let story = again.out.lines().map(|line| format!("  {line}\n")).collect::<String>();
    assert!(found.out.contains(&story), "{story} is not in {}", found.out);
}

#[test]
fn a_program_without_a_failure_ends_with_0() {
    let ran = command(&["explore", "--strategy", "dfs", &bug("abba"), "mended"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(ran.out.contains("nothing fails in any schedule"), "{}", ran.out);
    let built_in = command(&["explore", "--schedules", "50", "service"]);
    assert_eq!(built_in.code, Some(0), "{}", built_in.out);
    assert!(built_in.out.starts_with("50 schedules tried, "), "{}", built_in.out);
}

#[test]
fn a_search_says_the_same_twice() {
    for strategy in ["random", "pct", "dfs"] {
        let args = ["explore", "--strategy", strategy, &bug("readers-writer")];
        let (once, checked) = (command(&args), command(&[&args[..], &["--check"]].concat()));
        assert_eq!((checked.code, &checked.out), (Some(1), &once.out), "{strategy}");
        assert_eq!(checked.err, "hothouse: check: two searches found the same\n");
    }
}

#[test]
fn a_changed_program_is_noticed() {
    let found = command(&["explore", &bug("abba")]);
    let schedule = schedule(&found);
    let other = command(&["replay", &schedule, &bug("late-reply")]);
    assert_eq!(other.code, Some(3), "{}", other.err);
    assert!(other.err.contains("goes another way at choice "), "{}", other.err);
    let mended = command(&["replay", &schedule, &bug("abba"), "mended"]);
    assert_ne!(mended.code, Some(1), "{}", mended.err);
}

#[test]
fn json_has_all_of_it() {
    let ran = command(&["explore", "--format", "json", "--strategy", "random", &bug("abba")]);
    let json: Json = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["failure"]["kind"], "deadlock");
    assert!(json["schedules"].as_u64().unwrap() >= 1);
    let schedule = json["failure"]["schedule"].as_str().unwrap();
    let again = command(&["replay", "--format", "json", schedule]);
    let again: Json = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["story"], json["failure"]["story"]);
    assert_eq!(again["failure"]["what"], json["failure"]["what"]);
}

#[test]
fn bad_input_says_what_to_do_and_runs_nothing() {
    let (_folder, path) = lua_file("print('never')");
    for (args, part) in [
        (vec!["explore", "nosuch.lua"], "there is no file nosuch.lua"),
        (vec!["explore", "--bound", "delays", &path], "expected preemptions=N"),
        (vec!["explore", "--bound", "delays=2", &path], "for --strategy dfs only"),
        (vec!["explore", "--depth", "0", &path], "0"),
        (vec!["replay", "hh1.AA*A"], "column 7 of the schedule"),
        (vec!["replay", "hh1.AAAA"], "checksum"),
        (vec!["replay", "abc"], "begins with"),
    ] {
        let ran = command(&args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(part), "{args:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{args:?}: {}", ran.out);
    }
}

#[test]
fn limits_and_kinds_of_failures_can_be_chosen() {
    let (_folder, path) = lua_file(
        "local process = require 'system.process' \
         process.fork(function() error('on purpose', 0) end) \
         process.fork(function() coroutine.yield() end, 'waits') process.yield()",
    );
    let run = |more: &[&str]| command(&[&["explore"], more, &[path.as_str()]].concat());
    assert!(run(&[]).out.contains("on purpose"));
    assert_eq!(run(&["--allow-failures"]).code, Some(0));
    let leaks = run(&["--allow-failures", "--leaks"]);
    assert_eq!(leaks.code, Some(1));
    assert!(leaks.out.contains("left at the end: process 3 waits"), "{}", leaks.out);
    let again = command(&["replay", &schedule(&leaks)]);
    assert_eq!(again.code, Some(1), "{}", again.err);
    assert!(again.err.contains("left at the end"), "{}", again.err);
}

#[test]
fn what_cannot_be_repeated_is_an_error() {
    let (_folder, path) = lua_file("for _ in pairs({ [{}] = 1, [{}] = 2 }) do end");
    let ran = command(&["explore", &path]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.out.contains("pairs over"), "{}", ran.out);
}
