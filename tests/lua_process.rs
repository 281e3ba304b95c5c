//! From Lua: processes, how they end, users, scheduling.

use hothouse::{ExitStatus, Limits, Value};
use hothouse_tests::two_cpus;

use crate::lua::{assert_good, lua, lua_with, noisy, run, settings, texts};

#[test]
fn fork_makes_a_child_of_the_same_user_that_runs_when_picked() {
    let run = lua(r##"
        process.setuser("bob")
        local child = fork(function(...)
          print("child", ...)
          return process.getppid(), process.getuser(), process.getname()
        end, "kid", 1, "two", nil, { 4 } and 4)
        print("parent")
        is(process.getpinfo(child).name, "kid")
        is(process.getpinfo(child).user, "bob")
        is(process.getpinfo(child).parent, 1)
        is(child, 2)
        is(join(child), 1)
        is(fork(function() end), 3)
    "##);
    assert_eq!(texts(&run), ["parent", "child\t1\ttwo\tnil\t4"]);
}

#[test]
fn fork_over_the_process_limit_is_eagain_and_unread_records_count() {
    let limits = Limits { processes: 3, ..Limits::default() };
    let run = lua_with(
        &settings(),
        |b| b.limits(limits.clone()),
        &[r##"
        local again = "Resource temporarily unavailable"
        local a, b = fork(function() end), fork(function() end)
        fails(again, fork, function() end)
        util.sleep(1)
        fails(again, fork, function() end)
        join(a)
        local c = fork(function() end)
        fails(again, fork, function() end)
        util.filterEvent("process_complete")
        util.filterEvent("process_complete")
        fork(function() end)
        fork(function() end)
    "##],
    );
    assert_good(&run);
}

#[test]
fn fork_copies_what_the_function_reaches() {
    lua(r##"
        local count, shared = 1, { n = 1 }
        shared.me = shared
        Global = "the parent's"
        local function up() count = count + 1 return count end
        local object = setmetatable({ v = 5 }, { __index = function(t, k) return k .. t.v end })
        local child = fork(function(arg)
          is(Global, nil)
          is(up(), 2)
          is(count, 2)
          is(shared.me, shared)
          shared.n = 2
          is(object.x, "x5")
          is(arg.list[2], 2)
          arg.list[2] = 3
          is(string.format, ("").format)
          is(_G, _ENV)
          Global = "the child's"
          return "ok"
        end, "child", { list = { 1, 2 } })
        count = 10
        is(join(child), "ok")
        is(count, 10)
        is(shared.n, 1)
        is(Global, "the parent's")
    "##);
}

#[test]
fn fork_of_what_cannot_be_copied_is_an_error_and_makes_no_process() {
    lua(r##"
        local co = coroutine.create(function() end)
        fails("cannot fork: it reaches a coroutine", fork, function() return co end)
        fails("cannot fork: it reaches a coroutine", fork, function() end, "x", { { co } })
        fails("cannot fork: it reaches a built-in iterator", fork, function() end, "x", ("x"):gmatch("x") and coroutine.wrap and string.gmatch and select(1, next) and io == nil and utf8.codes("x"))
        fails("bad argument #1 (expected function, got table)", fork, {})
        fails("bad argument #2 (expected string or nil, got number)", fork, function() end, 5)
        is(#process.getplist(), 1)
    "##);
}

#[test]
fn fork_bomb_ends_at_the_limit() {
    let limits = Limits { processes: 50, ..Limits::default() };
    let run = lua_with(
        &settings(),
        |b| b.limits(limits.clone()),
        &[r##"
        local refused = 0
        local function bomb(depth)
          for _ = 1, 3 do
            if depth > 0 and not pcall(fork, bomb, "bomb", depth - 1) then refused = refused + 1 end
          end
          util.sleep(1)
        end
        for _ = 1, 60 do
          if not pcall(fork, bomb, "bomb", 6) then refused = refused + 1 end
        end
        is(refused, 11)
        util.sleep(100)
    "##],
    );
    assert_good(&run);
}

#[test]
fn exit_ends_at_once_with_its_value() {
    let run = lua(r##"
        local child = fork(function()
          local guard <close> = setmetatable({}, { __close = function() print("closed") end })
          pcall(function()
            coroutine.wrap(function() process.exit({ code = 7 }) end)()
          end)
          print("went on")
        end)
        is(join(child).code, 7)
        is(join(fork(process.exit)), nil)
        fails("bad argument #1 (cannot copy a function)", process.exit, print)
    "##);
    assert_eq!(texts(&run), ["closed"]);
}

#[test]
fn exit_value_of_pid_1_is_in_the_report() {
    let run = run("process.exit(3)");
    assert_eq!(run.exit(1).status, ExitStatus::Exited(Value::Int(3)));
}

#[test]
fn wait_reads_a_record_once() {
    lua(r##"
        local child = fork(function() process.compute(0.5) util.sleep(1) return "v" end)
        is(process.wait(child, 0), nil)
        is(process.wait(child, 0.25), nil)
        local exit = process.wait(child)
        is(exit.id, child) is(exit.value, "v") is(exit.cputime, 0.5) is(exit.ended, 1.5)
        is(exit.error, nil) is(exit.signal, nil)
        is(fails("No child processes", process.wait, child), "No child processes")
        fails("No child processes", process.wait)
        fails("No child processes", process.wait, 99, 1)
        fails("No child processes", process.wait, 1.5)
        fails("No child processes", process.wait, 0)
        fails("bad argument #1 (expected number or nil, got string)", process.wait, "x")
        fails("bad argument #2 (expected number or nil, got string)", process.wait, 1, "x")
    "##);
}

#[test]
fn wait_any_takes_them_in_the_order_of_their_ends() {
    lua(r##"
        local slow, quick = fork(function() util.sleep(2) end), fork(function() util.sleep(1) end)
        is(process.wait().id, quick)
        is(process.wait(nil, 5).id, slow)
    "##);
}

#[test]
fn wait_tells_value_error_and_signal() {
    noisy(
        r##"
        is(process.wait(fork(function() return { 1, { 2 } } end)).value[2][1], 2)
        is(process.wait(fork(function() error("text", 0) end)).error, "text")
        is(process.wait(fork(function() ipc.kill(process.getpid(), 15) end)).signal, 15)
        is(process.wait(fork(function() return print end)).value, nil)
    "##,
    );
}

#[test]
fn process_complete_is_the_parents_notice_from_the_start() {
    noisy(
        r##"
        local a = fork(function() return "v" end)
        local name, param = util.pullEvent()
        is(name, "process_complete") is(param.id, a) is(param.value, "v")
        fails("No child processes", process.wait, a)
        fork(function() error("e", 0) end)
        is(select(2, util.pullEvent()).error, "e")
        fork(function() ipc.kill(process.getpid(), 9) end)
        is(select(2, util.pullEvent()).signal, 9)
    "##,
    );
}

#[test]
fn orphans_are_adopted_by_the_kernel() {
    let run = lua(r##"
        local child = fork(function()
          fork(function()
            util.sleep(1)
            print(process.getppid())
          end)
        end)
        join(child)
        util.sleep(2)
    "##);
    assert_eq!(texts(&run), ["0"]);
}

#[test]
fn getpid_getppid_getname_getuser() {
    lua(r##"
        is(process.getpid(), 1)
        is(process.getppid(), 0)
        is(process.getname and process.getname() or sys("getname"), "main")
        is(process.getuser(), "root")
        is(math.type(process.getpid()), "integer")
    "##);
}

#[test]
fn setuser_is_roots() {
    lua(r##"
        fails("bad argument #1 (expected string, got nil)", process.setuser)
        fails("File name too long", process.setuser, ("u"):rep(256))
        is(process.getuser(), "root")
        process.setuser("bob")
        is(process.getuser(), "bob")
        is(fails("Permission denied", process.setuser, "root"), "Permission denied")
        fails("Permission denied", process.setuser, "bob")
        is(process.getuser(), "bob")
    "##);
}

#[test]
fn getplist_is_all_live_pids_ascending() {
    lua(r##"
        local pids = {}
        for i = 1, 5 do pids[i] = fork(function() util.sleep(10) end) end
        ipc.kill(pids[3], 9)
        is(table.concat(process.getplist(), " "), "1 2 3 5 6")
    "##);
}

#[test]
fn getpinfo_tells_all_or_nil() {
    lua(r##"
        local info, text = process.getpinfo(99)
        is(info, nil) is(text, "No such process")
        is(select(2, process.getpinfo(1.5)), "No such process")
        is(process.getpinfo(0), nil)
        fails("bad argument #1 (expected number, got nil)", process.getpinfo)
        local child = fork(function()
          process.compute(0.5)
          process.nice(5)
          ipc.receiveEvent(nil, "never")
        end, "kid")
        is(process.getpinfo(child).state, "ready")
        util.sleep(1)
        for i = 1, 3 do ipc.sendEvent(child, "x", i) end
        info = process.getpinfo(child)
        is(info.id, child) is(info.name, "kid") is(info.user, "root") is(info.parent, 1)
        is(info.state, "waiting") is(info.since, 0.5) is(info.cputime, 0.5) is(info.nice, 5)
        is(info.events, 3) is(info.peak, 3) is(info.started, 0.0)
        assert(info.waiting:find("never", 1, true), info.waiting)
        assert(info.traps >= 3)
        is(process.getpinfo(1).state, "running")
        ipc.kill(child, 9)
    "##);
}

#[test]
fn nice_is_checked_and_readable() {
    lua(r##"
        is(process.nice(), 0)
        for _, level in ipairs { -20, 19, 0, 7.0 } do
          process.nice(level)
          is(process.nice(), level)
        end
        for _, level in ipairs { -21, 20, 1.5, 0/0, 1e300 } do
          fails("Invalid argument", process.nice, level)
        end
        is(process.nice(), 7)
        fails("No such process", process.nice, 5, 99)
        fails("bad argument #1 (expected number or nil, got string)", process.nice, "5")
        local child = fork(function() util.sleep(1) end)
        process.nice(3, child)
        is(process.getpinfo(child).nice, 3)
        process.setuser("bob")
        fails("Permission denied", process.nice, -1)
    "##);
}

#[test]
fn monitor_tells_the_end_exactly_once() {
    noisy(
        r##"
        local sleeper = fork(function() util.sleep(1) return 5 end)
        local watcher = fork(function()
          process.monitor(sleeper)
          local name, param = util.pullEvent()
          is(name, "down") is(param.id, sleeper) is(util.now(), 1.0)
          is(util.pullEvent(5), nil)
        end)
        join(watcher)
        process.monitor(99)
        local _, down = util.filterEvent("down")
        is(down.id, 99)
        local other = fork(function() util.sleep(1) end)
        process.monitor(other)
        process.demonitor(other)
        util.sleep(2)
        fails("Connection timed out", sys, "filter_event", { "down" }, 0)
    "##,
    );
}

#[test]
fn compute_uses_the_cpu() {
    let run = lua_with(
        &settings(),
        two_cpus,
        &[r##"
        local a = fork(function() process.compute(1) return util.now() end)
        local b = fork(function() process.compute(1) return util.now() end)
        is(join(a) + join(b), 2.0)
        process.compute(0.25)
        is(process.clock(), 0.25)
        is(process.compute(-1), nil)
        fails("bad argument #1 (expected seconds, got NaN)", process.compute, 0/0)
        fails("bad argument #1 (expected number, got nil)", process.compute)
        is(util.now(), 1.25)
    "##],
    );
    assert_good(&run);
}

#[test]
fn yield_lets_the_others_run() {
    let run = lua(r##"
        local child = fork(function() print("child") end)
        process.yield()
        print("parent")
    "##);
    assert_eq!(texts(&run), ["child", "parent"]);
}

#[test]
fn atexit_hooks_run_oldest_first_on_every_end_but_sigkill() {
    let run = noisy(
        r##"
        local ends = { function() end, function() process.exit(1) end, error,
          function() ipc.kill(process.getpid(), 15) end }
        for _, finish in ipairs(ends) do
          local log = ""
          local child = fork(function()
            process.atexit(function() log = log .. "a" end)
            process.atexit(function() error("in a hook") end)
            process.atexit(function()
              util.sleep(0.5)
              fails("No such process", ipc.kill, 99, 0)
              ipc.sendEvent(1, "log", log .. "c")
            end)
            finish()
          end)
          process.wait(child)
          is(select(2, ipc.receiveEvent()), "ac")
        end
        print("done")
    "##,
    );
    assert_eq!(texts(&run), ["done"]);
    assert_eq!(run.diagnostics.iter().filter(|line| line.contains("in a hook")).count(), 4);
}

#[test]
fn atexit_hooks_have_one_second_and_one_budget() {
    let run = noisy(
        r##"
        local sleeper = fork(function()
          process.atexit(function() util.sleep(100) print("never") end)
        end)
        local exit = process.wait(sleeper)
        is(util.now(), 1.0)
        local looper = fork(function()
          process.atexit(function() while true do util.now() end end)
          process.atexit(function() while true do end end)
          util.sleep(1)
        end)
        process.wait(looper)
        local parker = fork(function()
          process.atexit(function() while true do pcall(util.sleep, 0.3) end end)
        end)
        process.wait(parker)
        assert(util.now() <= 3, util.now())
        print("others go on")
    "##,
    );
    assert_eq!(texts(&run), ["others go on"]);
}

#[test]
fn atexit_while_hooks_run_all_signals_but_sigkill_are_held() {
    lua(r##"
        local child = fork(function()
          ipc.register("name")
          process.atexit(function() util.sleep(0.5) end)
        end)
        process.yield()
        ipc.kill(child, 15)
        is(ipc.lookup("name"), child)
        local exit = process.wait(child)
        is(exit.signal, nil)
        is(util.now(), 0.5)
        is(ipc.lookup("name"), nil)
        child = fork(function() process.atexit(function() util.sleep(0.5) end) end)
        process.yield()
        ipc.kill(child, 9)
        process.wait(child)
        is(util.now(), 0.5)
    "##);
}

#[test]
fn unwinding_closes_and_calls_that_park_fail() {
    let run = lua(r##"
        local child = fork(function()
          local guard <close> = setmetatable({}, { __close = function()
            print(util.now(), process.getpid())
            is(ipc.sendEvent(1, "from close"), true)
            print(pcall(util.sleep, 1))
            print(pcall(ipc.receiveEvent))
          end })
          util.sleep(100)
        end)
        util.sleep(1)
        ipc.kill(child, 15)
        is(process.wait(child).signal, 15)
        is((ipc.receiveEvent(nil, nil, 0)), "from close")
    "##);
    let eintr = "false\tInterrupted system call";
    assert_eq!(texts(&run), ["1.0\t2", eintr, eintr]);
}

#[test]
fn unwinding_that_loops_in_close_is_ended_by_the_budget() {
    let run = noisy(
        r##"
        local child = fork(function()
          local outer <close> = setmetatable({}, { __close = function() print("outer") end })
          local inner <close> = setmetatable({}, { __close = function() while true do end end })
          util.sleep(100)
        end)
        util.sleep(1)
        ipc.kill(child, 15)
        is(process.wait(child).signal, 15)
        print("parent")
    "##,
    );
    assert_eq!(texts(&run).last(), Some(&"parent"));
}
