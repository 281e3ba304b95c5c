//! The table "Lua" of the contract: the language as programs find it.

use hothouse::lua::LuaSettings;
use hothouse::{Kernel, Pid, Span};
use hothouse_tests::scenario_with;

use crate::lua::{assert_good, lua, lua_with, noisy, run, settings, start, texts};

#[test]
fn the_sandbox_has_no_way_out() {
    lua(r##"
        for _, name in ipairs { "io", "debug", "package", "dofile", "loadfile", "collectgarbage",
          "loadstring", "module", "getfenv", "setfenv", "newproxy" } do
          is(_G[name], nil)
        end
        is(string.dump, nil)
        for _, name in ipairs { "execute", "exit", "getenv", "remove", "rename", "tmpname", "setlocale" } do
          is(os[name], nil)
        end
        local f, text = load("\27Lua", "x")
        is(f, nil)
        is(load("return 1", "x", "b"), nil)
        f, text = load(function() return "\27Lua" end)
        is(f, nil)
        is(load("return 1", "x", "bt")(), 1)
        is(load("return x", "x", "t", { x = 5 })(), 5)
        is(load("X = 1; return X")(), 1)
        is(X, 1)
        for _, name in ipairs { "debug", "io", "os", "package", "string" } do
          assert(not pcall(require, name), name)
        end
        is(getmetatable("").__index, getmetatable("").__index)
        is(getmetatable(_G), false)
        assert(not pcall(setmetatable, _G, {}))
        is(getmetatable(print), nil)
        is(getmetatable(coroutine.create(print)), nil)
    "##);
}

#[test]
fn the_libraries_are_frozen() {
    lua(r##"
        local libraries = { string, table, math, utf8, coroutine, os, ipc, process, util, ipc.signal,
          getmetatable("").__index, getmetatable("") }
        for i, library in ipairs(libraries) do
          assert(not pcall(function() library.evil = 1 end), i)
          assert(not pcall(rawset, library, "evil", 1), i)
          assert(not pcall(setmetatable, library, {}), i)
          assert(not pcall(table.insert, library, 1), i)
          assert(not pcall(table.sort, library) or #library == 0, i)
          pcall(table.move, { 1 }, 1, 1, 1, library)
          pcall(table.remove, library)
          is(library.evil, nil)
          is(rawget(library, 1), nil)
        end
        string = nil
        is(("x"):rep(2), "xx")
        print = nil
        join(fork(function() assert(print and string.rep) end))
        local meta = getmetatable(math)
        assert(type(meta) ~= "table" or not pcall(function() meta.__newindex = nil end))
    "##);
}

#[test]
fn processes_have_globals_of_their_own() {
    let sources = [
        "x = 1 util.sleep(1) is(x, 1) _G.print = error",
        "is(x, nil) x = 2 util.sleep(2) is(x, 2) print('mine')",
        "is(rawget(_G, 'x'), nil) local ENV = _ENV is(ENV, _G)",
    ];
    let run = lua_with(&settings(), |b| b, &sources);
    assert!(run.diagnostics.is_empty(), "{:?}", run.diagnostics);
    assert_eq!(texts(&run), ["mine"]);
}

#[test]
fn arguments_and_modules_and_programs_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "tool.lua",
        "local M = {} M.count = 0 function M.up() M.count = M.count + 1 return M.count end return M",
    );
    write("child.lua", "local a, b = ... if b then error('no') end return a * 2");
    write("broken.lua", "if then");
    write(
        "main.lua",
        r##"
        local process = require "system.process"
        print(...)
        local tool = require "tool"
        tool.up()
        print(require("tool").up(), tool == require "tool")
        print(process.run("child.lua", 21))
        print(process.run("child.lua", 21, true))
        print(process.wait(process.start("child.lua", 4)).value)
        print(pcall(process.run, "missing.lua"))
        print(pcall(process.start, "broken.lua"))
        print(pcall(process.start, "/etc/passwd"))
        print(pcall(require, "nowhere"))
        print(pcall(require, "system.files"))
        "##,
    );
    let path = dir.path().join("main.lua");
    let set_up = |kernel: &mut Kernel| {
        let host = hothouse::lua::LuaHost::new(settings());
        let program = host.load(&path, vec!["a".into(), 7.into()]).unwrap();
        kernel.spawn("main", program).unwrap();
    };
    let run = scenario_with(|b| b, set_up, || hothouse::Until::Idle);
    assert_good(&run);
    let folder = format!("{}/", dir.path().display());
    let lines: Vec<_> = texts(&run).iter().map(|line| line.replace(&folder, "")).collect();
    assert_eq!(lines[..3], ["a\t7", "2\ttrue", "true\t42"]);
    assert!(lines[3].starts_with("false\tchild.lua:1: no"), "{lines:?}");
    assert_eq!(lines[4], "8");
    for (line, part) in lines[5..].iter().zip([
        "cannot read missing.lua",
        "broken.lua:1: ",
        "leads out of the program's folder",
        "no module 'nowhere'",
        "there are system.ipc, system.process and system.util",
    ]) {
        assert!(line.starts_with("false\t") && line.contains(part), "{line}");
    }
}

#[test]
fn every_call_works_in_coroutines_which_never_see_the_kernels_yields() {
    lua(r##"
        local function body()
          util.sleep(1)
          is(coroutine.yield("first"), "resumed")
          is(ipc.receiveEvent(nil, nil, 1), nil)
          coroutine.yield("second")
          process.yield()
          return "end"
        end
        local co = coroutine.create(body)
        is(select(2, coroutine.resume(co)), "first") is(util.now(), 1.0)
        is(select(2, coroutine.resume(co, "resumed")), "second") is(util.now(), 2.0)
        is(select(2, coroutine.resume(co)), "end")
        is(coroutine.status(co), "dead")
        local inner = coroutine.wrap(function()
          for value in coroutine.wrap(function() util.sleep(1) coroutine.yield(5) util.sleep(1) end) do
            coroutine.yield(value)
          end
          return "done"
        end)
        is(inner(), 5) is(util.now(), 3.0)
        is(inner(), "done") is(util.now(), 4.0)
        local closing = coroutine.create(function()
          local guard <close> = setmetatable({}, { __close = function() util.now() end })
          coroutine.yield()
        end)
        coroutine.resume(closing)
        is(coroutine.close(closing), true)
    "##);
}

#[test]
fn parking_where_lua_cannot_yield_is_a_named_error_that_changes_nothing() {
    lua(r##"
        local object = setmetatable({}, { __tostring = function() util.sleep(1) return "x" end })
        local ok, text = pcall(load, function() util.sleep(1) return nil end)
        local refused = ok and select(2, load(function() util.sleep(1) end)) or text
        assert(tostring(refused):find("sleep cannot wait here", 1, true), refused)
        is(util.now(), 0.0)
        table.sort({ 3, 1, 2 }, function(a, b) util.sleep(1) return a < b end)
        assert(util.now() > 0)
        local before = util.now()
        is(("abc"):gsub(".", function(c) util.sleep(1) return c:upper() end), "ABC")
        is(util.now(), before + 3)
    "##);
}

#[test]
fn pairs_next_tostring_and_sort_are_the_same_in_every_run() {
    lua(r##"
        local t = { 10, 20, 30, z = 1, a = 2, [2.5] = 3, [-1] = 4, [true] = 5, [false] = 6, [100] = 7 }
        local keys = {}
        for key in pairs(t) do keys[#keys + 1] = tostring(key) end
        is(table.concat(keys, " "), "1 2 3 -1 2.5 100 a z false true")
        keys = {}
        for key in next, t do keys[#keys + 1] = tostring(key) end
        is(table.concat(keys, " "), "1 2 3 -1 2.5 100 a z false true")
        for _, value in ipairs { {}, print, coroutine.create(print), function() end } do
          assert(not tostring(value):find("0x"), tostring(value))
          assert(not ("%s"):format(value):find("0x"))
          is(("%p"):format(value), ("%p"):format(value))
        end
        local named = setmetatable({}, { __name = "thing" })
        assert(tostring(named):find("^thing: %d+$"))
        for _, bad in ipairs { { __gc = print }, { __mode = "k" } } do
          assert(not pcall(setmetatable, {}, bad))
        end
    "##);
}

#[test]
fn pairs_over_several_table_keys_warns_once_and_marks_the_run() {
    let source =
        "local t = { [{}] = 1, [{}] = 2 } for _ = 1, 3 do for k in pairs(t) do end end print('on')";
    let run = run(source);
    assert!(run.report.unrepeatable.is_some());
    assert_eq!(texts(&run), ["on"]);
    let strict = lua_with(&settings(), |b| b.repeatable(true), &[source]);
    assert!(strict.exit(1).status.to_string().contains("pairs"), "{}", strict.exit(1).status);
    assert!(strict.lines.is_empty());
    let caught = format!("pcall(function() {source} end) print('caught')");
    let strict = lua_with(&settings(), |b| b.repeatable(true), &[&caught]);
    assert!(strict.report.unrepeatable.is_some() || !strict.exit(1).status.is_success());
}

#[test]
fn time_and_random_are_the_machines() {
    let source = r##"
        util.sleep(2.5)
        is(os.clock(), 2.5) is(os.time(), 2)
        for _ = 1, 100 do
          local n = math.random(6)
          assert(n >= 1 and n <= 6)
          assert(math.random() < 1)
        end
        math.randomseed(5)
        fails("(interval is empty)", math.random, 2, 1)
        print(math.random(1 << 60))"##;
    let seeded = |seed: u64| {
        let run = lua_with(&settings(), |b| b.seed(seed), &[source]);
        assert_good(&run);
        run.lines
    };
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn instructions_take_time_and_slices_preempt() {
    let slow = LuaSettings {
        time_per_instruction: Span::from_nanos(100),
        instruction_budget: None,
        ..settings()
    };
    let source = r##"
        local function spin(name)
          for part = 1, 3 do
            for _ = 1, 100000 do end
            print(name)
          end
        end
        local a, b = fork(spin, "a", "a"), fork(spin, "b", "b")
        join(a) join(b)
        assert(util.now() > 0.05 and util.now() < 1, util.now())"##;
    let policy = |text: &str| {
        let stream = hothouse::Stream::derive(0, hothouse::StreamKind::Policy, 0);
        hothouse::policy::policy(text, stream).unwrap()
    };
    let fifo = lua_with(&slow, |b| b, &[source]);
    assert_good(&fifo);
    assert_eq!(texts(&fifo), ["a", "a", "a", "b", "b", "b"]);
    let rr = lua_with(&slow, |b| b.policy(policy("rr")), &[source]);
    assert_good(&rr);
    assert_eq!(texts(&rr), ["a", "b", "a", "b", "a", "b"]);
    let free = lua_with(
        &settings(),
        |b| b.policy(policy("rr")),
        &["for _ = 1, 1e5 do end is(util.now(), 0.0)"],
    );
    assert_good(&free);
}

#[test]
fn an_uncaught_error_is_told_with_file_line_and_the_programs_traceback() {
    let run = run(
        "local function inner()\n  error('broken')\nend\nlocal function outer() inner() end\nouter()",
    );
    let text = &run.diagnostics[0];
    assert_eq!(run.exit(1).status.to_string(), "failed: main.lua:2: broken");
    assert!(text.contains("main.lua:2: broken\nstack traceback:"), "{text}");
    assert!(text.contains("main.lua:2: in"), "{text}");
    assert!(!text.contains("hothouse") && !text.contains("library"), "{text}");
    assert!(run.report.exit(Pid::new(1)).is_some());
}

#[test]
fn an_error_value_that_is_no_string_is_shown_safely() {
    for (value, shown) in [
        ("{}", "(error object is a table value)"),
        ("nil", "(error object is a nil value)"),
        ("true", "(error object is a boolean value)"),
        ("print", "(error object is a function value)"),
        ("coroutine.create(print)", "(error object is a thread value)"),
        ("12", "12"),
        ("1.5", "1.5"),
        ("setmetatable({}, { __tostring = error })", "(error object is a table value)"),
        (
            "setmetatable({}, { __tostring = function() return {} end })",
            "(error object is a table value)",
        ),
        ("setmetatable({}, { __tostring = function() return 'mine' end })", "mine"),
        (
            "setmetatable({}, { __index = error, __len = error, __name = 5 })",
            "(error object is a table value)",
        ),
        (
            "setmetatable({}, { __tostring = function() util.sleep(1) end })",
            "(error object is a table value)",
        ),
        (
            "setmetatable({}, { __tostring = function() process.exit() end })",
            "(error object is a table value)",
        ),
    ] {
        let run = run(&format!("error({value}, 0)"));
        assert_eq!(run.exit(1).status.to_string(), format!("failed: {shown}"), "{value}");
        let assert = self::run(&format!("assert(false, {value})"));
        assert!(!assert.exit(1).status.is_success(), "{value}");
    }
    let looping = run("error(setmetatable({}, { __tostring = function() while true do end end }))");
    assert!(looping.exit(1).status.to_string().contains("instruction budget"), "{looping:?}");
}

#[test]
fn close_runs_at_every_end_but_sigkill() {
    let run = noisy(
        r##"
        local ends = { function() end, error, process.exit,
          function() ipc.kill(process.getpid(), 15) end,
          function() ipc.kill(process.getpid(), 9) end }
        for i, finish in ipairs(ends) do
          process.wait(fork(function()
            local guard <close> = setmetatable({}, { __close = function() print(i) end })
            finish()
          end))
        end
    "##,
    );
    assert_eq!(texts(&run), ["1", "2", "3", "4"]);
}

#[test]
fn the_state_is_shared_or_not_as_set() {
    let source = "util.sleep(1) print(('x'):rep(10))";
    for isolate in [false, true] {
        let settings = LuaSettings { isolate, processes_per_state: 2, ..settings() };
        let host = hothouse::lua::LuaHost::new(settings.clone());
        let mut kernel = Kernel::builder().console(hothouse::Captured::default()).build().unwrap();
        for _ in 0..4 {
            kernel
                .spawn("p", host.load_source("p", source.as_bytes(), None, vec![]).unwrap())
                .unwrap();
        }
        assert_eq!(host.states(), if isolate { 4 } else { 2 });
        drop(kernel);
        assert_eq!(host.states(), 0);
        let run = scenario_with(
            |b| b,
            |k| start(k, settings.clone(), &[source; 3]),
            || hothouse::Until::Idle,
        );
        assert_eq!(run.lines.len(), 3);
    }
}

#[test]
fn close_runs_after_the_budget_with_a_budget_of_its_own() {
    let run = crate::lua::run(
        "local process = require 'system.process'
        process.atexit(function() print('hook', type(_ENV), type(print)) end)
        local first <close> = setmetatable({}, { __close = function() print('closed') end })
        local last <close> = setmetatable({}, { __close = function() print('first') end })
        pcall(function() while true do end end)",
    );
    assert_eq!(crate::lua::texts(&run), ["first", "closed", "hook\ttable\tfunction"]);
    assert!(run.exit(1).status.to_string().contains("main.lua:5: instruction budget"));
}
