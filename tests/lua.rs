//! Lua source as the programs of a scenario.

use hothouse::lua::{LuaHost, LuaSettings};
use hothouse::{Builder, Kernel, Until};
use hothouse_tests::{Run, scenario_with};

/// What the tests' programs find, all on the line in front of their own first one.
const HEAD: &str = concat!(
    "local ipc, process, util = require 'system.ipc', require 'system.process', require 'system.util' ",
    "local sig, fork = ipc.signal, process.fork ",
    "local function is(got, want) if got ~= want then ",
    "error(('got %s, wanted %s'):format(tostring(got), tostring(want)), 2) end end ",
    "local function fails(want, fn, ...) local ok, got = pcall(fn, ...) ",
    "if ok or type(got) ~= 'string' or got:sub(-#want) ~= want then ",
    "error(('got %s, %s, wanted %s'):format(ok, tostring(got), want), 2) end return got end ",
    "local function join(pid) local exit = process.wait(pid) ",
    "if exit.error or exit.signal then error('child: ' .. (exit.error or exit.signal), 2) end ",
    "return exit.value end ",
    "local function sys(...) local ok, a, b = coroutine.yield('syscall', ...) ",
    "if not ok then error(a, 2) end return a, b end ",
);

/// Little memory and a small budget, so that programs which use them up do so soon.
pub(crate) fn settings() -> LuaSettings {
    LuaSettings {
        memory_per_state: 32 << 20,
        instruction_budget: Some(2_000_000),
        ..LuaSettings::default()
    }
}

/// Starts programs from 1 on, in a state that they share.
pub(crate) fn start(kernel: &mut Kernel, settings: LuaSettings, sources: &[&str]) {
    let host = LuaHost::new(settings);
    for source in sources {
        let text = format!("{HEAD}{source}");
        let program = host.load_source("main.lua", text.as_bytes(), None, vec![]);
        let program = program.unwrap_or_else(|error| panic!("{error}"));
        kernel.spawn("main", program).expect("there is room");
    }
}

/// Runs programs from 1 on, whatever comes of them.
pub(crate) fn lua_with(
    settings: &LuaSettings,
    build: impl Fn(Builder) -> Builder,
    sources: &[&str],
) -> Run {
    scenario_with(build, |kernel| start(kernel, settings.clone(), sources), || Until::Idle)
}

/// Runs a program as pid 1, whatever comes of it.
pub(crate) fn run(source: &str) -> Run {
    lua_with(&settings(), |builder| builder, &[source])
}

/// Runs a program as pid 1. It must succeed, and so must its children.
#[track_caller]
pub(crate) fn lua(source: &str) -> Run {
    let run = run(source);
    assert_good(&run);
    assert!(run.diagnostics.is_empty(), "{:?}", run.diagnostics);
    run
}

/// Runs a program that must succeed, and whose children may fail.
#[track_caller]
pub(crate) fn noisy(source: &str) -> Run {
    let run = run(source);
    assert_good(&run);
    run
}

/// Checks that pid 1 succeeded.
#[track_caller]
pub(crate) fn assert_good(run: &Run) {
    let exit = run.report.records.iter().find(|exit| exit.pid.number() == 1);
    let Some(exit) = exit else { panic!("pid 1 lives: {:?} {:?}", run.end, run.diagnostics) };
    assert!(exit.status.is_success(), "{}: {:?}", exit.status, run.diagnostics);
}

/// What was logged, without time, pid and name.
pub(crate) fn texts(run: &Run) -> Vec<&str> {
    run.lines.iter().map(|line| line.split_once(": ").map_or("", |(_, text)| text)).collect()
}
