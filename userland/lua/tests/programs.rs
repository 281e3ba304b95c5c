//! Lua programs on a machine in miniature.

mod machine;

use hothouse_abi::{ExitStatus, Signal, Span, Tick, Value};
use hothouse_lua::{LuaHost, LuaSettings};
use machine::Machine;

fn settings() -> LuaSettings {
    LuaSettings {
        memory_per_state: 16 << 20,
        instruction_budget: Some(200_000),
        ..LuaSettings::default()
    }
}

/// Runs a program to its end as pid 1.
fn run_with(settings: LuaSettings, source: &str) -> Machine {
    let host = LuaHost::new(settings);
    let machine = Machine::default();
    machine.spawn(host.load_source("main.lua", source.as_bytes(), None, vec![]).unwrap());
    machine.run();
    drop(host);
    machine
}

fn run(source: &str) -> Machine {
    run_with(settings(), source)
}

#[track_caller]
fn prints(source: &str, lines: &[&str]) {
    let machine = run(source);
    assert_eq!(machine.log(), lines, "{:?}", machine.0.borrow().diagnoses);
    assert_eq!(machine.end(1), Some(ExitStatus::Exited(Value::Nil)));
}

#[track_caller]
fn fails(source: &str) -> (String, Machine) {
    let machine = run(source);
    match machine.end(1) {
        Some(ExitStatus::Failed(text)) => (text, machine),
        other => panic!("ended {other:?}, log {:?}", machine.log()),
    }
}

#[test]
fn calls_work_and_values_survive() {
    prints(
        r#"
        local ipc, process, util = require "system.ipc", require "system.process", require "system.util"
        print(process.getpid(), process.getppid(), process.getname())
        assert(ipc.sendEvent(1, "hello", {1, "two", {x = true}}))
        local name, data = ipc.receiveEvent()
        print(name, data[1], data[2], data[3].x, ipc.sender())
        util.sleep(1.5)
        print(util.now(), os.clock(), os.time())
        print(ipc.receiveEvent(nil, nil, 0))
        print(ipc.sendEvent(99, "x"), ipc.register("me"), ipc.register("me"), ipc.lookup("me"), ipc.lookup("you"))
        util.queueEvent("own", 7)
        print(util.peekEvent())
        print(util.pullEvent())
        ipc.sendEvent(1, "far", 8)
        local event, remote = util.filterEvent("remote_event")
        print(event, remote.type, remote.sender, remote.data)
        "#,
        &[
            "1\t0\tmain",
            "hello\t1\ttwo\ttrue\t1",
            "1.5\t1.5\t1",
            "nil",
            "false\ttrue\tfalse\t1\tnil",
            "own\t7",
            "own\t7",
            "remote_event\tfar\t1\t8",
        ],
    );
}

#[test]
fn argument_errors_have_the_contracts_words_and_the_callers_line() {
    prints(
        r#"local ipc, util = require "system.ipc", require "system.util"
        print(select(2, pcall(ipc.kill, "x", 1)))
        print(select(2, pcall(function() ipc.kill("x", 1) end)))
        print(select(2, pcall(function() ipc.receiveEvent("x") end)))
        print(select(2, pcall(function() ipc.receiveEvent(nil, nil, 0/0) end)))
        print(select(2, pcall(function() ipc.kill(99, 15) end)))
        print(select(2, pcall(function() ipc.kill(1, 0/0) end)))
        print(select(2, pcall(function() ipc.sendEvent(1, "x", print) end)))
        print(select(2, pcall(util.sleep)))
        print(pcall(ipc.kill, -1, 15))
        print(pcall(ipc.kill, 1.5, 15))
        "#,
        &[
            "main.lua:2: bad argument #1 (expected number, got string)",
            "main.lua:3: bad argument #1 (expected number, got string)",
            "main.lua:4: bad argument #1 (expected number or nil, got string)",
            "main.lua:5: bad argument #3 (expected seconds, got NaN)",
            "No such process",
            "Invalid argument",
            "main.lua:8: bad argument #3 (cannot copy a function)",
            "main.lua:9: bad argument #1 (expected number, got nil)",
            "false\tNo such process",
            "false\tNo such process",
        ],
    );
}

#[test]
fn handlers_run_over_waits_and_errors_in_them_are_survived() {
    let machine = run(r#"
        local ipc, process, util = require "system.ipc", require "system.process", require "system.util"
        ipc.sigaction(15, function(n)
          print("handler", n)
          util.sleep(1)
          print("slept", util.now())
        end)
        ipc.kill(process.getpid(), 15)
        print("after", util.now())
        ipc.sigaction(10, function() error("oops") end)
        ipc.kill(process.getpid(), 10)
        print("alive")
        ipc.sigaction(15, nil)
        "#);
    assert_eq!(machine.log(), ["handler\t15", "slept\t1.0", "after\t1.0", "alive"]);
    let diagnoses = &machine.0.borrow().diagnoses;
    assert!(
        diagnoses[0].starts_with("in the handler of SIGUSR1: main.lua:10: oops"),
        "{diagnoses:?}"
    );
}

#[test]
fn a_handler_runs_over_a_parked_coroutine() {
    let source = r#"
        local ipc, util = require "system.ipc", require "system.util"
        ipc.sigaction(15, function() print("in handler", coroutine.isyieldable()) util.sleep(0.5) end)
        local co = coroutine.wrap(function()
          print("got", ipc.receiveEvent())
          coroutine.yield("user")
        end)
        print(co())
    "#;
    let host = LuaHost::new(settings());
    let machine = Machine::default();
    machine.spawn(host.load_source("main.lua", source.as_bytes(), None, vec![]).unwrap());
    machine.run();
    machine.kill(1, Signal::SIGTERM);
    machine.run();
    assert_eq!(machine.log(), ["in handler\ttrue"]);
    let sender = r#"require "system.ipc".sendEvent(1, "late", 4)"#;
    machine.spawn(host.load_source("s.lua", sender.as_bytes(), None, vec![]).unwrap());
    machine.run();
    assert_eq!(machine.log(), ["in handler\ttrue", "got\tlate\t4", "user"]);
}

#[test]
fn hooks_run_oldest_first_whatever_the_end() {
    let hooks = r#"
        local process, util = require "system.process", require "system.util"
        process.atexit(function() util.sleep(1) print("first") end)
        process.atexit(function() error("bad hook") end)
        process.atexit(function() print("last") end)
    "#;
    for (end, status) in [
        ("", ExitStatus::Exited(Value::Nil)),
        ("process.exit(3)", ExitStatus::Exited(3.into())),
        ("error('x', 0)", ExitStatus::Failed("x".to_owned())),
        ("require'system.ipc'.kill(1, 15)", ExitStatus::Signaled(Signal::SIGTERM)),
    ] {
        let machine = run(&format!("{hooks}\n{end}"));
        assert_eq!(machine.log(), ["first", "last"], "{end}");
        assert_eq!(machine.end(1), Some(status));
        let diagnoses = machine.0.borrow().diagnoses.join("\n");
        assert!(diagnoses.contains("main.lua:4: bad hook"), "{diagnoses}");
    }
}

#[test]
fn coroutines_never_see_the_kernels_yields() {
    prints(
        r#"
        local util, ipc = require "system.util", require "system.ipc"
        local co = coroutine.create(function(a)
          util.sleep(1)
          local b = coroutine.yield(a + 1)
          local inner = coroutine.wrap(function() util.sleep(1) coroutine.yield("inner") return nil end)
          local got = inner()
          util.sleep(1)
          inner()
          return got, b
        end)
        print(coroutine.resume(co, 1))
        print(coroutine.resume(co, 5))
        print(coroutine.status(co), util.now(), coroutine.resume(co))
        print(select('#', coroutine.resume(coroutine.create(function() end))))
        print(coroutine.resume(coroutine.create(function() error("e", 0) end)))
        print(select(2, coroutine.running()), coroutine.isyieldable())
        print(pcall(coroutine.wrap(function() error({}) end)))
        local x = coroutine.create(function() local c <close> = setmetatable({}, {__close = function() print("closed") end}) coroutine.yield() end)
        coroutine.resume(x)
        print(coroutine.close(x), coroutine.status(x))
        for i in coroutine.wrap(function() for i = 1, 2 do util.sleep(1) coroutine.yield(i) end end) do print(i) end
        table.sort({3, 1, 2}, function(a, b) util.sleep(1) return a < b end)
        print((("abc"):gsub("b", function() util.sleep(1) return "x" end)))
        "#,
        &[
            "true\t2",
            "true\tinner\t5",
            "dead\t3.0\tfalse\tcannot resume dead coroutine",
            "1",
            "false\te",
            "true\ttrue",
            "false\ttable: 1",
            "closed",
            "true\tdead",
            "1",
            "2",
            "axc",
        ],
    );
}

#[test]
fn the_raw_abi_works_in_the_main_coroutine() {
    prints(
        r#"
        local y = coroutine.yield
        print(y("syscall", "getpid"))
        print(y("syscall", "kill", 99, 15))
        print(y("syscall", "nonsense"))
        print(y("syscall", "kill", "x"))
        print(y("syscall", "send_event", 1, "e", {4}))
        local name, e = y()
        print(name, e.type, e.sender, e.data[1])
        print(y("syscall", "send_event", 77, "e"))
        print(y("syscall", "sleep", 1), y("syscall", "now"))
        print(y("syscall", "receive_event", nil, nil, 0))
        print(coroutine.wrap(function() y("syscall", "getpid") end)())
        "#,
        &[
            "true\t1",
            "false\tNo such process",
            "false\tNo such syscall",
            "false\tbad argument #1 (expected number, got string)",
            "true",
            "remote_event\te\t1\t4",
            "false\tNo such process",
            "true\ttrue\t1.0",
            "false\tConnection timed out",
            "syscall\tgetpid",
        ],
    );
}

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
        print(string.format("%s", print):match("^%a+"), tostring({}) == tostring({}))
        "#,
        &[
            "false\tno module 'system.net'; there are system.ipc, system.process and system.util",
            "false\tno module '../x': this program has no folder",
            "1\ttrue\tfalse\tbad argument #2 to 'random' (interval is empty)",
            "1970-01-02 00:00:00\t86400",
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
fn a_signal_to_oneself_where_lua_cannot_yield_is_handled_later() {
    prints(
        r#"
        local util, ipc = require "system.util", require "system.ipc"
        ipc.sigaction(15, function() print("handled") end)
        xpcall(error, function() ipc.kill(1, 15) print("went on") end)
        util.sleep(1)
        print("end")
        "#,
        &["went on", "handled", "end"],
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
fn a_fork_copies_all_that_it_reaches() {
    for isolate in [false, true] {
        let machine = run_with(
            LuaSettings { isolate, ..settings() },
            r#"
            local process, util, ipc = require "system.process", require "system.util", require "system.ipc"
            local shared = {n = 1}
            shared.self = shared
            setmetatable(shared, {__index = function(_, k) return k .. "!" end})
            global = 5
            local count = 0
            local function up() count = count + 1 return count end
            local function child(arg, ...)
              shared.n = shared.n + 1
              up() up()
              print("child", shared.n, shared.self == shared, shared.any, global, count, up(), arg.x, ...)
              global = 6
              string.format("%d", 1)
              print(process.getppid(), math.type(1), type(ipc.kill), process.getname())
              return 9
            end
            local pid = process.fork(child, "kid", {x = "arg"}, 1, nil, 3)
            shared.n = 100
            local exit = process.wait(pid)
            print("parent", exit.id == pid, exit.value, shared.n, global, count)
            print(pcall(process.fork, coroutine.wrap(print)))
            print(pcall(process.fork, 5))
            "#,
        );
        assert_eq!(
            machine.log(),
            [
                "child\t2\ttrue\tany!\tnil\t2\t3\targ\t1\tnil\t3",
                "1\tinteger\tfunction\tkid",
                "parent\ttrue\t9\t100\t5\t0",
                "false\tmain.lua:22: cannot fork: it reaches a coroutine",
                "false\tmain.lua:23: bad argument #1 (expected function, got number)",
            ]
        );
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

#[test]
fn programs_start_others_and_find_modules_in_their_folder() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    std::fs::create_dir(dir.path().join("lib")).unwrap();
    write("lib/greet.lua", "local M = {} function M.greet(x) return 'hi ' .. x end return M");
    write("round.lua", "local round = require 'round' return round");
    write("worker.lua", "local n, t = ... if n < 0 then error('negative') end return {n * 2, t.x}");
    write(
        "main.lua",
        r#"#!/usr/bin/env lua
        local process = require "system.process"
        local greet = require "lib.greet"
        assert(greet == require "lib.greet")
        print(greet.greet(...))
        local ok, value = process.run("worker.lua", 21, {x = "y"})
        print(ok, value[1], value[2])
        print(process.run("worker.lua", -1, {}))
        print(pcall(require, "round"))
        print(pcall(process.start, "../main.lua"))
        print((select(2, pcall(process.start, "none.lua")):match("cannot read")))
        "#,
    );
    let host = LuaHost::new(settings());
    let machine = Machine::default();
    let program = host.load(&dir.path().join("main.lua"), vec!["you".into()]).unwrap();
    machine.spawn(program);
    machine.run();
    let folder = dir.path().display().to_string();
    let log: Vec<String> = machine.log().iter().map(|line| line.replace(&folder, "DIR")).collect();
    assert_eq!(
        log,
        [
            "hi you",
            "true\t42\ty",
            "false\tDIR/worker.lua:1: negative",
            "false\tDIR/round.lua:1: module 'round' requires itself",
            "false\tDIR/main.lua:10: ../main.lua leads out of the program's folder; name a file beside or below the program",
            "cannot read",
        ]
    );
    assert!(host.load(&dir.path().join("missing.lua"), vec![]).is_err());
    assert!(host.load_source("x", b"\x1bLua", None, vec![]).is_err());
    let escape = host.load_source("x", b"end; print(1); do", None, vec![]);
    assert!(escape.unwrap_err().to_string().starts_with("x:1: "));
}

#[test]
fn servers_answer_calls() {
    let server = r#"
        local ipc = require "system.ipc"
        ipc.register("adder")
        for _ = 1, 2 do
          local name, param = ipc.receiveEvent()
          ipc.sendEvent(ipc.sender(), "noise")
          print(name, ipc.reply(param[1] + param[2]))
        end
        print(pcall(ipc.reply, 1))
    "#;
    let client = r#"
        local ipc, process = require "system.ipc", require "system.process"
        local adder = ipc.lookup("adder")
        print(ipc.call(adder, "add", {1, 2}))
        print(select(2, ipc.call(adder, "add", {3, 4})))
        print(pcall(ipc.receiveEvent, 77))
        print(ipc.receiveEvent(77, nil, 2), require "system.util".now())
    "#;
    let host = LuaHost::new(settings());
    let machine = Machine::default();
    for source in [server, client] {
        machine.spawn(host.load_source("m.lua", source.as_bytes(), None, vec![]).unwrap());
    }
    machine.run();
    let log = machine.log();
    assert!(log.contains(&"add\t3".to_owned()) && log.contains(&"7".to_owned()), "{log:?}");
    assert!(log.contains(&"false\tNo such process".to_owned()), "{log:?}");
    assert_eq!(log.last().unwrap(), "nil\t2.0");
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
