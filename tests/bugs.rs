//! Classic faulty protocols, in Lua and in Rust: each is found by each strategy within a stated
//! number of schedules, and its mended twin passes every schedule.

#[path = "bugs/programs.rs"]
mod programs;

use std::path::{Path, PathBuf};

use hothouse::explore::{Bound, Explored, Explorer, Strategy};
use hothouse::lua::{LuaHost, LuaSettings};
use programs::BUGS;

use crate::explore::ALL;

/// A bug, and within how many schedules each of [`STRATEGIES`] finds it, in either language.
struct Found {
    name: &'static str,
    kind: &'static str,
    within: [u64; 5],
}

const fn found(name: &'static str, kind: &'static str, within: [u64; 5]) -> Found {
    Found { name, kind, within }
}

const BUGS_FOUND: [Found; 8] = [
    found("abba", "deadlock", [50, 100, 30, 30, 40]),
    found("check-then-act", "failed", [50, 200, 20, 20, 20]),
    found("double-delivery", "failed", [50, 200, 50, 50, 50]),
    found("election", "failed", [20, 50, 20, 20, 20]),
    found("late-reply", "failed", [20, 50, 20, 20, 20]),
    found("lost-wakeup", "deadlock", [50, 100, 20, 20, 20]),
    found("philosophers", "deadlock", [100, 200, 2_000, 400, 400]),
    found("readers-writer", "failed", [200, 500, 2_000, 5_000, 400]),
];

const DELAYS: Strategy = Strategy::Dfs { bound: Bound::Delays(3) };

const STRATEGIES: [Strategy; 5] = [
    Strategy::Random,
    Strategy::Pct { depth: 3 },
    ALL,
    Strategy::Dfs { bound: Bound::Preemptions(2) },
    DELAYS,
];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bugs").join(format!("{name}.lua"))
}

fn in_lua(explorer: &Explorer, name: &str, mended: bool) -> Explored {
    let (host, path) = (LuaHost::new(LuaSettings::default()), file(name));
    let args = if mended { vec!["mended".into()] } else { Vec::new() };
    explorer.check_program(name, move || host.load(&path, args.clone()).unwrap()).unwrap()
}

fn in_rust(explorer: &Explorer, name: &str, mended: bool) -> Explored {
    let bug = BUGS.iter().find(|bug| bug.name == name).expect("each has a twin in Rust");
    let main = bug.main;
    explorer.check(move |sys| main(sys, mended)).unwrap()
}

fn explorer(strategy: Strategy, schedules: u64) -> Explorer {
    Explorer::new().isolated(true).strategy(strategy).schedules(schedules)
}

fn assert_found(explored: &Explored, bug: &Found, language: &str) {
    let Some(found) = &explored.failure else {
        panic!("{} in {language} was not found: {explored}", bug.name);
    };
    let word = found.failure.word();
    let expected = match (bug.kind, language) {
        ("failed", "Lua") => "error",
        ("failed", _) => "panic",
        (kind, _) => kind,
    };
    assert_eq!(word, expected, "{} in {language}: {explored}", bug.name);
}

#[test]
fn each_bug_has_a_program_in_both_languages() {
    let names: Vec<&str> = BUGS_FOUND.iter().map(|bug| bug.name).collect();
    assert_eq!(names, BUGS.map(|bug| bug.name));
    assert!(names.iter().all(|name| file(name).is_file()));
}

#[test]
fn each_strategy_finds_each_bug_in_lua() {
    for bug in &BUGS_FOUND {
        for (strategy, schedules) in STRATEGIES.into_iter().zip(bug.within) {
            let explored = in_lua(&explorer(strategy, schedules), bug.name, false);
            assert_found(&explored, bug, "Lua");
        }
    }
}

#[test]
fn each_strategy_finds_each_bug_in_rust() {
    for bug in &BUGS_FOUND {
        for (strategy, schedules) in STRATEGIES.into_iter().zip(bug.within) {
            let explored = in_rust(&explorer(strategy, schedules), bug.name, false);
            assert_found(&explored, bug, "Rust");
        }
    }
}

#[test]
fn each_mended_twin_in_lua_passes_every_schedule() {
    for bug in &BUGS_FOUND {
        let explored = in_lua(&explorer(ALL, u64::MAX), bug.name, true);
        assert!(explored.exhausted && explored.failure.is_none(), "{}: {explored}", bug.name);
    }
}

#[test]
fn each_mended_twin_passes_the_bounded_search() {
    for bug in &BUGS_FOUND {
        for search in [in_lua, in_rust] {
            let explored = search(&explorer(DELAYS, u64::MAX), bug.name, true);
            assert!(explored.exhausted && explored.failure.is_none(), "{}: {explored}", bug.name);
        }
    }
}

#[test]
fn each_mended_twin_in_rust_passes_every_schedule() {
    for bug in &BUGS_FOUND {
        let explored = in_rust(&explorer(ALL, u64::MAX), bug.name, true);
        assert!(explored.exhausted && explored.failure.is_none(), "{}: {explored}", bug.name);
    }
}
