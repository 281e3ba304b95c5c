//! What Lua programs do with the system calls, on a machine in miniature.

mod machine;

use hothouse_abi::{ExitStatus, Signal, Value};
use hothouse_lua::{LuaHost, LuaSettings};
use machine::{Machine, prints, run, run_with, settings};

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

#[test]
fn the_example_programs_are_short_and_load() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let host = LuaHost::new(settings());
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(host.load(&path, vec![]).is_ok(), "{}", path.display());
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 80, "{} has {lines} lines", path.display());
        count += 1;
    }
    assert_eq!(count, 8);
}
