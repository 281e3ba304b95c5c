//! Lua programs that do their worst. Whatever they do, the others go on and nothing is left.

use crate::lua::{lua_with, settings, texts};

/// What runs beside each of them, in the same Lua state.
const BYSTANDER: &str = r##"
    for i = 1, 3 do
      util.sleep(1)
      local t = {}
      for j = 1, 100 do t[j] = ("x"):rep(j) end
      is(ipc.sendEvent(process.getpid(), "x", t), true)
      is(#select(2, ipc.receiveEvent()), 100)
    end
    is(tostring(5) .. string.format("%d", 5) .. next({ 1 }) .. math.max(1, 2), "5512")
    print("bystander")"##;

/// Runs a program beside the bystander, and returns what became of the program.
fn beside(source: &str) -> String {
    let run = lua_with(&settings(), |b| b, &[source, BYSTANDER]);
    assert_eq!(texts(&run).last(), Some(&"bystander"), "{source}: {:?}", run.diagnostics);
    assert!(run.exit(2).status.is_success(), "{source}: {}", run.exit(2).status);
    let end = run.report.records.iter().find(|exit| exit.pid.number() == 1);
    end.map_or("lives".to_owned(), |exit| exit.status.to_string())
}

#[track_caller]
fn ends(source: &str, how: &str) {
    let end = beside(source);
    assert!(end.contains(how), "{source}: {end}");
}

#[test]
fn endless_loops_end_by_the_budget_whatever_catches() {
    for source in [
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "pcall(table.sort, { 3, 2, 1, 4 }, function() while true do end end) print('no')",
        "pcall(string.gsub, ('x'):rep(100), 'x', function() while true do end end) print('no')",
        "for _ in setmetatable({}, { __call = function() return 1 end }) do end",
        "for _ in pairs(setmetatable({}, { __pairs = function() return function() return 1 end end })) do end",
        "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) while true do pcall(function() return t[1] end) end",
        "local m = {} m.__eq = function() while true do end end return setmetatable({}, m) == setmetatable({}, m)",
        "local m = { __concat = function() while true do end end } return setmetatable({}, m) .. 'x'",
        "local m = { __lt = function() while true do end end } return pcall(table.sort, { setmetatable({}, m), setmetatable({}, m) })",
        "coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()",
        "goto a ::a:: goto a",
        "while true do string.rep('x', 1000) end",
        "while true do pcall(string.find, ('a'):rep(200), ('.-'):rep(4) .. 'b') end",
        "return ('a'):rep(5000):find(('.-'):rep(10) .. 'b')",
        "return ('a'):rep(100000):match('.-.-.-b')",
        "for i = 1, 1e9 do pcall(tostring, setmetatable({}, { __tostring = function() return i end })) end",
        "string.format(('%s'):rep(100), table.unpack(setmetatable({}, { __index = function() while true do end end }), 1, 100))",
        "table.concat(setmetatable({}, { __len = function() return 1e9 end, __index = function() return 'x' end }))",
        "local t = setmetatable({}, { __len = function() return 1 << 40 end }) while true do pcall(table.insert, t, 1, 1) end",
        "table.move({ 1 }, 1, 1 << 40, 2)",
        "error(setmetatable({}, { __tostring = function() while true do end end }))",
        "local function f() local c <close> = setmetatable({}, { __close = f }) while true do end end f()",
        "local c <close> = setmetatable({}, { __close = function() while true do end end }) while true do end",
        "local co = coroutine.create(function() local c <close> = setmetatable({}, { __close = function() while true do end end }) coroutine.yield() end) coroutine.resume(co) coroutine.close(co)",
        "local t = setmetatable({}, { __tostring = function() while true do end end }) local co = coroutine.wrap(function() local d <close> = setmetatable({}, { __close = function() while true do end end }) return string.format('%s', t) end) pcall(co) pcall(co)",
    ] {
        let end = beside(source);
        assert!(
            end.contains("instruction budget") || end.contains("not enough memory"),
            "{source}: {end}"
        );
    }
}

#[test]
fn memory_bombs_end_their_own_process() {
    for source in [
        "local t = {} while true do t[#t + 1] = {} end",
        "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(10000) .. #t end end) end",
        "local s = 'x' while true do s = s .. s end",
        "while true do pcall(string.rep, 'x', 1 << 40) pcall(string.rep, 'xyz', 1 << 25) end",
        "local t = {} while true do local ok, x = pcall(string.rep, 'x', 1 << 22) t[#t + 1] = x .. #t end",
        "local function grow(t) return grow({ t, t }) end grow({})",
        "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
        "local t = {} for i = 1, 1e9 do t[i] = coroutine.wrap(function() coroutine.yield() end) t[i]() end",
        "local s = ('x'):rep(1 << 20) local t = {} while true do t[#t + 1] = s:gsub('x', 'yyyy') .. #t end",
        "local t = {} while true do t[#t + 1] = table.concat({ ('x'):rep(1 << 20), #t }) end",
        "table.unpack({}, 1, 1e8) local t = {} while true do t = { t, table.unpack({}, 1, 200) } end",
        "X = {} while true do X[#X + 1] = load('return ' .. #X .. ', \"' .. ('y'):rep(1 << 16) .. '\"') end",
    ] {
        let end = beside(source);
        let known = ["not enough memory", "instruction budget", "too many results"];
        assert!(known.iter().any(|text| end.contains(text)), "{source}: {end}");
    }
}

#[test]
fn deep_recursion_is_an_error_of_its_own_process() {
    for source in [
        "local function f() return 1 + f() end f()",
        "local function f() pcall(f) error('x') end f()",
        "local function f() return (('x'):gsub('x', f)) end f()",
        "local function f() return string.format('%s', setmetatable({}, { __tostring = f })) end f()",
        "local function f() return tostring(setmetatable({}, { __tostring = f })) end f()",
        "local t = {} setmetatable(t, { __index = function(_, k) return t[k .. 'x'] end }) return t.x",
        "local t = {} for _ = 1, 300 do t = setmetatable({}, { __index = t }) end return t.x.y",
        "local function f() return coroutine.wrap(f)() end f()",
        "local function f(n) local co = coroutine.create(f) return coroutine.resume(co) and error('x') end f()",
        "local function f() table.sort({ 2, 1 }, f) end f()",
        "local function f() for _ in pairs(setmetatable({}, { __pairs = f })) do end end f()",
        "local function f() return load(f) end f() error('x')",
        "error(load(('('):rep(10000) .. '1' .. (')'):rep(10000)))",
        "error(load(('{'):rep(100000)))",
        "error(load('return ' .. ('-'):rep(50000) .. '1') or 'x')",
        "error(load(('if x then '):rep(5000)))",
        "return ('x'):find(('('):rep(5000))",
        "return ('a'):rep(100000):find(('a?'):rep(100000) .. ('a'):rep(100000))",
        "return ('a'):rep(300000):match('(.-)*b%f[%z]%bxy' .. ('()'):rep(40))",
        "local m = {} m.__concat = function(a, b) return a .. b end return setmetatable({}, m) .. 1",
        "local m = {} m.__close = function() local x <close> = setmetatable({}, m) end local x <close> = setmetatable({}, m)",
    ] {
        let end = beside(source);
        assert!(end.starts_with("failed") || end.starts_with("exited"), "{source}: {end}");
    }
}

#[test]
fn ten_thousand_coroutines_deep() {
    ends(
        "local co for i = 1, 10000 do local inner = co co = coroutine.create(function() if inner then coroutine.resume(inner) end util.sleep(0.001) coroutine.yield() end) end \
         print(coroutine.resume(co))",
        "exited",
    );
    ends(
        "local all = {} for i = 1, 10000 do all[i] = coroutine.wrap(function() util.now() coroutine.yield(i) end) all[i]() end is(#all, 10000)",
        "exited",
    );
}

#[test]
fn catching_everything_does_not_survive_a_kill() {
    for signal in [9, 15] {
        ends(
            &format!(
                "local me = process.getpid() \
                 fork(function() util.sleep(1) ipc.kill(me, {signal}) end) \
                 while true do pcall(pcall, pcall, function() \
                   local g <close> = setmetatable({{}}, {{ __close = function() pcall(util.sleep, 1) error({{}}) end }}) \
                   xpcall(util.sleep, function() error('again') end, 10) end) end"
            ),
            "signaled",
        );
    }
    ends("while true do pcall(process.exit, 1) end", "exited 1");
    ends("while true do pcall(ipc.kill, process.getpid(), 15) end", "signaled SIGTERM");
    ends(
        "local co = coroutine.create(function() while true do pcall(process.exit, 1) end end) while true do pcall(coroutine.resume, co) end",
        "exited 1",
    );
    ends(
        "process.atexit(function() while true do pcall(util.sleep, 0.2) end end) process.exit(1)",
        "exited 1",
    );
    ends("process.atexit(function() process.exit(2) end) process.exit(1)", "exited");
    ends("process.atexit(function() process.atexit(error) error({}) end) error(print)", "failed");
}

#[test]
fn handlers_that_do_their_worst() {
    let worst = [
        "error(setmetatable({}, { __tostring = error }))",
        "util.sleep(1/0)",
        "while true do end",
        "ipc.kill(process.getpid(), 9)",
        "ipc.kill(process.getpid(), 15) ipc.kill(process.getpid(), 2)",
        "process.exit(1)",
        "coroutine.yield('syscall', 'getpid')",
        "coroutine.wrap(function() util.sleep(1) error({}) end)()",
        "ipc.sigaction(15, nil) ipc.sigaction(15, error)",
        "local function f() return f() + 1 end f()",
        "fork(function() ipc.kill(1, 15) end)",
        "error(nil)",
    ];
    for body in worst {
        let end = beside(&format!(
            "local depth = 0 ipc.sigaction(15, function() depth = depth + 1 if depth < 5 then {body} end end) \
             for _ = 1, 3 do ipc.kill(process.getpid(), 15) end"
        ));
        assert!(!end.contains("panicked"), "{body}: {end}");
    }
}

#[test]
fn hostile_event_data_is_refused_or_copied() {
    ends(
        r##"
        local me = process.getpid()
        local million = {} for i = 1, 100000 do million[i] = i end
        is(ipc.sendEvent(me, "x", million), true)
        is(#select(2, ipc.receiveEvent()), 100000)
        local doubled = {} for _ = 1, 60 do doubled = { doubled, doubled } end
        assert(not pcall(ipc.sendEvent, me, "x", doubled))
        local keys = setmetatable({}, { __len = function() return -5 end, __pairs = error, __index = error })
        keys[1.5] = 1 keys[-1] = 2 keys[math.mininteger] = 3 keys[true] = 4 keys[""] = 5
        is(ipc.sendEvent(me, "x", keys), true)
        is(select(2, ipc.receiveEvent())[math.mininteger], 3)
        local holes = {} for i = 1, 64 do holes[1 << (i - 1)] = i end
        is(ipc.sendEvent(me, "x", holes), true)
        is(select(2, ipc.receiveEvent())[1 << 62], 63)
        assert(not pcall(ipc.sendEvent, me, "x", _G))
        for _, call in ipairs { util.queueEvent, ipc.register, ipc.lookup, process.setuser, util.filterEvent } do
          pcall(call, million) pcall(call, keys, keys) pcall(call, 0/0) pcall(call)
        end
        "##,
        "exited",
    );
}

#[test]
fn every_call_survives_every_value() {
    ends(
        r##"
        local trap = setmetatable({}, { __index = error, __len = error, __tostring = error, __call = error, __eq = error, __name = error })
        local values = { nil, true, 0, -1, 1.5, 0/0, 1/0, math.mininteger, "", "x", "\0\255", {}, trap, print, coroutine.create(print) }
        local avoid = { exit = true, kill = true, sigwait = true, sleep = true, call = true, compute = true }
        local count = 0
        for _, library in ipairs { ipc, util, process } do
          for name, fn in pairs(library) do
            if type(fn) == "function" and not avoid[name] then
              for i = 1, 15 do
                for j = 1, 15 do
                  if not ((name == "receiveEvent" or name == "pullEvent" or name == "filterEvent" or name == "wait" or name == "run" or name == "sleep")) then
                    pcall(fn, values[i], values[j], values[(i * j) % 15 + 1])
                    count = count + 1
                  end
                end
              end
            end
          end
        end
        assert(count > 1000)
        "##,
        "",
    );
}

#[test]
fn escapes_through_coroutines_and_environments() {
    ends(
        r##"
        local co = coroutine.create(function() end)
        assert(not pcall(function() co.x = 1 end))
        assert(not pcall(function() return print.x end))
        is(load("return _ENV", "x", "t", nil)(), nil)
        local env = {}
        load("x = 1", "x", "t", env)()
        is(env.x, 1)
        local function no_env() local _ENV <const> = {} return print end
        is(no_env(), nil)
        _ENV = setmetatable({}, { __index = function(_, k) return k end })
        assert = function() end
        "##,
        "exited",
    );
    ends("coroutine.close(coroutine.running())", "failed");
    ends(
        "coroutine.resume(coroutine.running()) coroutine.wrap(function() coroutine.close(coroutine.running()) end)()",
        "failed",
    );
    ends(
        "local co co = coroutine.create(function() return coroutine.resume(co) end) print(coroutine.resume(co))",
        "exited",
    );
    ends(
        "coroutine.resume(coroutine.create(function() coroutine.yield(true) util.sleep(1) end))",
        "exited",
    );
    ends("setmetatable(_ENV, nil)", "failed");
}
