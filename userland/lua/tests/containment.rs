//! What Lua programs can't do, whatever they try, on a machine in miniature.

mod machine;

use hothouse_abi::{ExitStatus, Signal, Span, Tick};
use hothouse_lua::{LuaHost, LuaSettings};
use machine::{Machine, fails, prints, run, run_with, settings};

#[test]
fn nothing_catches_the_end_of_the_budget() {
    for program in [
        "while true do end",
        "pcall(function() while true do end end) print('survived')",
        "while true do pcall(function() while true do end end) end",
        "xpcall(function() while true do end end, function() return 1 end) print('survived')",
        "coroutine.wrap(function() pcall(function() while true do end end) end)() print('survived')",
        "local co = coroutine.create(function() while true do end end) coroutine.resume(co) print('survived')",
        "pcall(table.sort, {3, 2, 1}, function() while true do end end) print('survived')",
        "pcall(string.gsub, 'x', 'x', function() while true do end end) print('survived')",
        "pcall(tostring, setmetatable({}, {__tostring = function() while true do end end})) print('survived')",
        "pcall(function() return setmetatable({}, {__index = function() while true do end end}).x end) print('survived')",
        "do local c <close> = setmetatable({}, {__close = function() while true do end end}) end print('survived')",
        "pcall(load, function() while true do end end) print('survived')",
        "pcall(string.rep, 'x', 1e8, 'yy') while true do pcall(error) end",
        "while true do pcall(string.find, ('a'):rep(200), ('.-'):rep(4) .. 'b') end",
    ] {
        let (text, machine) = fails(program);
        assert_eq!(machine.log(), [""; 0], "{program}");
        assert!(
            text.contains("main.lua:1") && text.contains("instruction budget"),
            "{program}: {text}"
        );
        assert!(machine.0.borrow().diagnoses[0].contains("main.lua:1"), "{program}");
    }
}

#[test]
fn a_trap_renews_the_budget() {
    prints(
        r#"
        local util = require "system.util"
        for i = 1, 100 do
          for j = 1, 10000 do end
          util.now()
        end
        print("done")
        "#,
        &["done"],
    );
}

#[test]
fn memory_that_runs_out_ends_the_process_and_not_its_neighbour() {
    let host = LuaHost::new(LuaSettings { instruction_budget: None, ..settings() });
    let machine = Machine::default();
    let neighbour = r#"
        local util = require "system.util"
        util.sleep(10)
        local t = {} for i = 1, 1000 do t[i] = {i} end
        print("fine", #t)"#;
    let hog = r#"
        local t = {}
        while true do
          local ok = pcall(function() for i = 1, 1e9 do t[#t + 1] = ("x"):rep(10000) .. i end end)
        end"#;
    for source in [neighbour, hog] {
        machine.spawn(host.load_source("main.lua", source.as_bytes(), None, vec![]).unwrap());
    }
    machine.run();
    assert_eq!(machine.end(2), Some(ExitStatus::Failed("not enough memory".to_owned())));
    assert_eq!(machine.log(), ["fine\t1000"]);
}

#[test]
fn the_sandbox_has_no_way_out() {
    prints(
        r#"
        for _, name in ipairs {"io", "debug", "package", "dofile", "loadfile", "collectgarbage"} do
          assert(_G[name] == nil, name)
        end
        assert(string.dump == nil and os.execute == nil and os.getenv == nil and os.exit == nil)
        assert(not pcall(function() string.x = 1 end))
        assert(not pcall(rawset, string, "x", 1))
        assert(not pcall(setmetatable, string, {}))
        assert(not pcall(function() getmetatable("").__index = {} end))
        assert(not pcall(function() getmetatable("").__index.find = 1 end))
        assert(not pcall(setmetatable, {}, {__gc = print}))
        assert(not pcall(setmetatable, {}, {__mode = "k"}))
        assert(getmetatable(_G) == false and not pcall(setmetatable, _G, {}))
        assert(not pcall(function() require("system.ipc").signal.SIGTERM = 9 end))
        assert(load("\27Lua") == nil and load("return 1", "x", "b") == nil)
        x = 5
        assert(load("return x")() == 5 and load("return x", "c", "t", {x = 6})() == 6)
        assert(_G.x == 5 and _G._G == _G and rawget(_G, "print") == nil)
        print(pcall(require, "system.net"))
        print(pcall(require, "../x"))
        assert(not pcall(require, "nothing"))
        print(math.random(1, 1), math.random() < 1, pcall(math.random, 2, 1))
        print(os.date("%Y-%m-%d %H:%M:%S", 86400), os.time{year = 1970, month = 1, day = 2, hour = 0})
        print(select(2, pcall(function() os.time {year = 2000} end)))
        print(string.format("%s", print):match("^%a+"), tostring({}) == tostring({}))
        "#,
        &[
            "false\tno module 'system.net'; there are system.ipc, system.process and system.util",
            "false\tno module '../x': this program has no folder",
            "1\ttrue\tfalse\tbad argument #2 to 'random' (interval is empty)",
            "1970-01-02 00:00:00\t86400",
            "main.lua:24: field 'month' missing in date table",
            "function\tfalse",
        ],
    );
}

#[test]
fn uncaught_errors_tell_place_and_traceback_without_the_runtime() {
    let (text, machine) = fails(
        "local function f()\n  error('boom')\nend\nlocal function g()\n  f()\n  return 1\nend\ng()",
    );
    assert_eq!(text, "main.lua:2: boom");
    let diagnosis = machine.0.borrow().diagnoses[0].clone();
    assert!(diagnosis.contains("stack traceback:\n"), "{diagnosis}");
    assert!(diagnosis.contains("main.lua:5: in "), "{diagnosis}");
    assert!(!diagnosis.contains("[hothouse]") && !diagnosis.contains("[library]"), "{diagnosis}");
    for (source, shown) in [
        ("error({})", "table"),
        ("error()", "nil"),
        ("error(setmetatable({}, {__tostring = function() error('x') end}))", ""),
        ("error(setmetatable({}, {__tostring = function() while true do end end}))", ""),
        (
            "error(setmetatable({}, {__tostring = function() require'system.util'.sleep(1) end}))",
            "",
        ),
        ("string.rep()", "main.lua:1: bad argument #1"),
        ("require('system.ipc').kill(99, 9)", "No such process"),
    ] {
        let (text, _) = fails(source);
        assert!(text.contains(shown), "{source}: {text}");
    }
    let deep = run_with(LuaSettings::default(), "local function f() return f() + 1 end f()");
    let Some(ExitStatus::Failed(text)) = deep.end(1) else { panic!("{:?}", deep.end(1)) };
    assert!(text.starts_with("main.lua:1: stack overflow"), "{text}");
}

#[test]
fn a_call_that_waits_where_lua_cannot_yield_is_an_error_and_changes_nothing() {
    prints(
        r#"
        local util, ipc = require "system.util", require "system.ipc"
        local meta = setmetatable({}, {__tostring = function() util.sleep(1) return "x" end})
        print(select(2, xpcall(error, function() return (select(2, pcall(util.sleep, 1))) end)))
        print(util.now())
        local ok, text = load(function() util.sleep(1) end)
        print(ok, text)
        print(util.now())
        "#,
        &[
            "main.lua:4: sleep cannot wait here: Lua can't yield across a call from C",
            "0.0",
            "nil\tmain.lua:6: sleep cannot wait here: Lua can't yield across a call from C",
            "0.0",
        ],
    );
}

#[test]
fn close_runs_on_every_end_but_sigkill() {
    let source = r#"
        local util = require "system.util"
        local function guard(name)
          return setmetatable({}, {__close = function()
            print("close " .. name, pcall(util.sleep, 1))
          end})
        end
        local a <close> = guard("outer")
        coroutine.wrap(function()
          local b <close> = guard("inner")
          util.sleep(1000)
        end)()
    "#;
    for (signal, log) in [
        (Signal::SIGKILL, vec![]),
        (
            Signal::SIGTERM,
            vec![
                "close inner\tfalse\tInterrupted system call",
                "close outer\tfalse\tInterrupted system call",
            ],
        ),
    ] {
        let host = LuaHost::new(settings());
        let machine = Machine::default();
        machine.spawn(host.load_source("main.lua", source.as_bytes(), None, vec![]).unwrap());
        let killer = format!(
            "require'system.util'.sleep(1) require'system.ipc'.kill(1, {})",
            signal.number()
        );
        machine.spawn(host.load_source("k.lua", killer.as_bytes(), None, vec![]).unwrap());
        machine.run();
        assert_eq!(machine.end(1), Some(ExitStatus::Signaled(signal)));
        assert_eq!(machine.log(), log);
        assert_eq!(host.states(), 0, "the state goes with its last process");
    }
}

#[test]
fn time_per_instruction_is_charged_by_the_hooks_period() {
    let settings =
        LuaSettings { time_per_instruction: Span::from_nanos(10), hook_period: 100, ..settings() };
    let machine = run_with(
        settings,
        r#"
        local co = coroutine.wrap(function() for i = 1, 5000 do end coroutine.yield(1) return 2 end)
        print(co(), co())
        table.sort({5, 4, 3, 2, 1})
        print("end")"#,
    );
    assert_eq!(machine.log(), ["1\t2", "end"]);
    assert!(machine.now() >= Tick::from_nanos(50_000), "{:?}", machine.now());
    assert!(machine.0.borrow().computed.iter().all(|span| span.nanos() % 1_000 == 0));
}

/// Starts processes from one file that park, and returns the machine that they park in.
fn park(host: &LuaHost, count: usize) -> Machine {
    let machine = Machine::default();
    let source = b"local ipc = require 'system.ipc' print(ipc.receiveEvent())";
    for _ in 0..count {
        machine.spawn(host.load_source("main.lua", source, None, vec![]).unwrap());
    }
    machine.run();
    machine
}

#[test]
fn a_parked_process_from_a_file_is_small() {
    const COUNT: usize = 1_000;
    let host = LuaHost::new(LuaSettings::default());
    let one = park(&host, 1);
    let before = host.used_memory();
    let many = park(&host, COUNT);
    let each = (host.used_memory() - before) / COUNT;
    assert!(each <= 1_450, "{each} bytes a process");
    drop((one, many));
    assert_eq!(host.states(), 0);
}

#[test]
fn states_are_made_as_needed_and_go_with_their_last_process() {
    let host = LuaHost::new(LuaSettings { processes_per_state: 4, ..LuaSettings::default() });
    let machine = park(&host, 10);
    assert_eq!(host.states(), 3);
    (1..=4).for_each(|pid| machine.kill(pid, Signal::SIGKILL));
    assert_eq!(host.states(), 2);
    drop(machine);
    assert_eq!(host.states(), 0);
    let alone = LuaHost::new(LuaSettings { isolate: true, ..LuaSettings::default() });
    let _machine = park(&alone, 3);
    assert_eq!(alone.states(), 3);
}

#[test]
fn keys_without_an_order_warn_once_and_are_an_error_where_runs_must_repeat() {
    let source = "for _ = 1, 3 do for _ in pairs {[{}] = 1, [{}] = 2} do end end print('on')";
    let machine = run(source);
    assert_eq!(machine.log(), ["on"]);
    assert_eq!(machine.0.borrow().diagnoses.len(), 1);
    let host = LuaHost::new(settings());
    let machine = Machine::default();
    machine.0.borrow_mut().strict = true;
    machine.spawn(host.load_source("main.lua", source.as_bytes(), None, vec![]).unwrap());
    machine.run();
    let Some(ExitStatus::Failed(text)) = machine.end(1) else { panic!("{:?}", machine.end(1)) };
    assert!(text.starts_with("main.lua:1: pairs over a table"), "{text}");
}

#[test]
fn a_killed_runaway_coroutine_chain_leaves_nothing() {
    let machine = run(r#"
        local function nest(depth)
          if depth == 0 then while true do pcall(function() while true do end end) end end
          return coroutine.wrap(function() pcall(nest, depth - 1) end)()
        end
        nest(20)"#);
    let Some(ExitStatus::Failed(text)) = machine.end(1) else { panic!("{:?}", machine.end(1)) };
    assert!(text.starts_with("main.lua:3: instruction budget"), "{text}");
}
