//! Classic faulty protocols, in Lua and in Rust: each is found by each strategy within a stated
//! number of schedules, and its mended twin passes every schedule.

#[path = "bugs/programs.rs"]
mod programs;

use std::path::{Path, PathBuf};

use hothouse::explore::{Explored, Explorer, Strategy};
use hothouse::lua::{LuaHost, LuaSettings};
use programs::BUGS;

use crate::explore::ALL;

/// A bug, and within how many schedules `random`, `pct` of depth 3 and `dfs` find it.
struct Bound {
    name: &'static str,
    kind: &'static str,
    lua: [u64; 3],
    rust: [u64; 3],
}

const fn bound(name: &'static str, kind: &'static str, lua: [u64; 3], rust: [u64; 3]) -> Bound {
    Bound { name, kind, lua, rust }
}

const BOUNDS: [Bound; 8] = [
    bound("abba", "deadlock", [50, 100, 30], [50, 100, 30]),
    bound("check-then-act", "failed", [50, 200, 20], [50, 200, 20]),
    bound("double-delivery", "failed", [50, 200, 50], [50, 200, 50]),
    bound("election", "failed", [20, 50, 20], [20, 50, 20]),
    bound("late-reply", "failed", [20, 50, 20], [20, 50, 20]),
    bound("lost-wakeup", "deadlock", [50, 100, 20], [50, 100, 20]),
    bound("philosophers", "deadlock", [100, 200, 2_000], [100, 200, 2_000]),
    bound("readers-writer", "failed", [200, 500, 2_000], [200, 500, 2_000]),
];

const STRATEGIES: [Strategy; 3] = [Strategy::Random, Strategy::Pct { depth: 3 }, ALL];

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

fn assert_found(explored: &Explored, bound: &Bound, language: &str) {
    let Some(found) = &explored.failure else {
        panic!("{} in {language} was not found: {explored}", bound.name);
    };
    let word = found.failure.word();
    let expected = match (bound.kind, language) {
        ("failed", "Lua") => "error",
        ("failed", _) => "panic",
        (kind, _) => kind,
    };
    assert_eq!(word, expected, "{} in {language}: {explored}", bound.name);
}

#[test]
fn each_bug_has_a_bound_and_a_program_in_both_languages() {
    let names: Vec<&str> = BOUNDS.iter().map(|bound| bound.name).collect();
    assert_eq!(names, BUGS.map(|bug| bug.name));
    assert!(names.iter().all(|name| file(name).is_file()));
}

#[test]
fn each_strategy_finds_each_bug_in_lua() {
    for bound in &BOUNDS {
        for (strategy, schedules) in STRATEGIES.into_iter().zip(bound.lua) {
            let explored = in_lua(&explorer(strategy, schedules), bound.name, false);
            assert_found(&explored, bound, "Lua");
        }
    }
}

#[test]
fn each_strategy_finds_each_bug_in_rust() {
    for bound in &BOUNDS {
        for (strategy, schedules) in STRATEGIES.into_iter().zip(bound.rust) {
            let explored = in_rust(&explorer(strategy, schedules), bound.name, false);
            assert_found(&explored, bound, "Rust");
        }
    }
}

#[test]
fn each_mended_twin_in_lua_passes_every_schedule() {
    for bound in &BOUNDS {
        let explored = in_lua(&explorer(ALL, u64::MAX), bound.name, true);
        assert!(explored.exhausted && explored.failure.is_none(), "{}: {explored}", bound.name);
    }
}

#[test]
fn each_mended_twin_in_rust_passes_every_schedule() {
    for bound in &BOUNDS {
        let explored = in_rust(&explorer(ALL, u64::MAX), bound.name, true);
        assert!(explored.exhausted && explored.failure.is_none(), "{}: {explored}", bound.name);
    }
}
