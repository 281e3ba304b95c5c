//! From Lua: who may signal whom, and what each signal does by default.

use hothouse::{ExitStatus, Signal};

use crate::lua::{lua, noisy, run, texts};

#[test]
fn kill_missing_pid_is_esrch() {
    lua(r##"
        for _, pid in ipairs { 99, -1, 1.5, 0/0, 1/0, -1/0, 1e300, math.maxinteger, math.mininteger } do
          is(fails("No such process", ipc.kill, pid, 15), "No such process")
          is(fails("No such process", ipc.kill, pid, 0), "No such process")
        end
        local gone = fork(function() end)
        join(gone)
        fails("No such process", ipc.kill, gone, 9)
    "##);
}

#[test]
fn kill_bad_arguments_are_named() {
    lua(r##"
        fails("bad argument #1 (expected number, got string)", ipc.kill, "1", 15)
        fails("bad argument #1 (expected number, got nil)", ipc.kill)
        fails("bad argument #2 (expected number, got nil)", ipc.kill, 1)
        fails("bad argument #2 (expected number, got table)", ipc.kill, 1, {})
        local text = fails("bad argument #1 (expected number, got boolean)", function()
          ipc.kill(true, 15)
        end)
        is(text, "main.lua:7: bad argument #1 (expected number, got boolean)")
    "##);
}

#[test]
fn kill_of_another_users_process_is_eperm() {
    lua(r##"
        local child = fork(function()
          process.setuser("bob")
          is(fails("Permission denied", ipc.kill, 1, 15), "Permission denied")
          fails("Permission denied", ipc.kill, 1, 0)
          fails("Permission denied", ipc.kill, 1, 9)
          fails("No such process", ipc.kill, 99, 15)
          ipc.kill(process.getpid(), 0)
        end)
        join(child)
    "##);
}

#[test]
fn kill_signal_0_only_checks() {
    let run = lua(r##"
        local child = fork(function() util.sleep(1) end)
        ipc.kill(child, 0)
        ipc.kill(process.getpid(), 0)
        join(child)
    "##);
    assert_eq!(run.report.counters.signals, 0);
}

#[test]
fn kill_signal_out_of_range_is_einval() {
    lua(r##"
        for _, signal in ipairs { 32, -1, 1.5, 0/0, 1/0, 1e300, 1000 } do
          is(fails("Invalid argument", ipc.kill, 1, signal), "Invalid argument")
        end
        ipc.kill(1, 18.0)
    "##);
}

#[test]
fn kill_of_another_returns_at_once() {
    let run = lua(r##"
        local child = fork(function()
          ipc.sigaction(15, function() print("handler") util.sleep(5) end)
          util.sleep(1)
        end)
        util.sleep(0.5)
        ipc.kill(child, 15)
        print("returned")
        is(util.now(), 0.5)
        join(child)
        is(util.now(), 5.5)
    "##);
    assert_eq!(texts(&run), ["returned", "handler"]);
}

#[test]
fn kill_of_oneself_runs_the_handler_to_its_end_before_it_returns() {
    lua(r##"
        local done
        ipc.sigaction(15, function() util.sleep(1) done = true end)
        ipc.kill(process.getpid(), 15)
        is(done, true)
        is(util.now(), 1.0)
    "##);
}

#[test]
fn kill_sigkill_ends_without_hooks_handlers_or_close() {
    let run = lua(r##"
        local function victim()
          local guard <close> = setmetatable({}, { __close = function() print("closed") end })
          process.atexit(function() print("hook") end)
          ipc.sigaction(15, function() ipc.register("in handler") util.sleep(100) end)
          util.sleep(100)
        end
        local waiting, stopped, handling = fork(victim), fork(victim), fork(victim)
        local bystander = fork(function() util.sleep(1) print("bystander") end)
        util.sleep(0.5)
        ipc.kill(stopped, 19)
        ipc.kill(handling, 15)
        util.sleep(0.5)
        is(ipc.lookup("in handler"), handling)
        for _, pid in ipairs { waiting, stopped, handling } do
          ipc.kill(pid, sig.SIGKILL)
          is(process.getpinfo(pid), nil)
          is(process.wait(pid, 0).signal, 9)
        end
        is(ipc.lookup("in handler"), nil)
        print("all gone")
    "##);
    assert_eq!(texts(&run), ["bystander", "all gone"]);
}

#[test]
fn kill_sigkill_of_oneself() {
    let run = run("pcall(ipc.kill, process.getpid(), 9) print('survived')");
    assert_eq!(run.exit(1).status, ExitStatus::Signaled(Signal::SIGKILL));
    assert!(run.lines.is_empty());
}

#[test]
fn kill_default_stops_and_sigcont_resumes() {
    lua(r##"
        for _, signal in ipairs { 19, 21, 22 } do
          local start = util.now()
          local child = fork(function()
            util.sleep(1)
            return util.now() - start
          end)
          util.sleep(0.5)
          ipc.kill(child, signal)
          is(process.getpinfo(child).state, "stopped")
          util.sleep(2)
          is(process.getpinfo(child).state, "stopped")
          ipc.sendEvent(child, "queued")
          is(process.getpinfo(child).events, 1)
          ipc.kill(child, 18)
          is(join(child), 2.5)
        end
    "##);
}

#[test]
fn kill_sigcont_resumes_also_when_handled_or_masked_and_drops_pending_stops() {
    lua(r##"
        local child = fork(function()
          local seen
          ipc.sigaction(18, function() seen = util.now() end)
          sys("sigprocmask", "block", { 18, 21 })
          util.sleep(1)
          is(seen, nil)
          is(table.concat(sys("sigpending"), ","), "18")
          sys("sigprocmask", "unblock", { 18, 21 })
          is(seen, 1.0)
        end)
        util.sleep(0.1)
        ipc.kill(child, 19)
        ipc.kill(child, 21)
        util.sleep(0.1)
        is(process.getpinfo(child).state, "stopped")
        ipc.kill(child, 18)
        process.yield()
        is(process.getpinfo(child).state, "waiting")
        join(child)
    "##);
}

#[test]
fn kill_a_stop_drops_a_pending_sigcont() {
    lua(r##"
        local child = fork(function()
          ipc.sigaction(18, function() error("dropped") end)
          sys("sigprocmask", "block", { 18, 21 })
          util.sleep(1)
          is(table.concat(sys("sigpending"), ","), "21")
        end)
        util.sleep(0.1)
        ipc.kill(child, 18)
        ipc.kill(child, 21)
        join(child)
    "##);
}

#[test]
fn kill_default_ends() {
    lua(r##"
        for _, signal in ipairs { 1, 2, 5, 13, 15 } do
          local child = fork(function() util.sleep(10) end)
          util.sleep(0.1)
          ipc.kill(child, signal)
          local exit = process.wait(child)
          is(exit.signal, signal)
          is(exit.error, nil)
          is(exit.value, nil)
          is(exit.id, child)
        end
    "##);
}

#[test]
fn kill_sigquit_and_sigabrt_log_where_it_was() {
    let run = noisy(
        r##"
        for _, signal in ipairs { 3, 6 } do
          for _, hook in ipairs { false, function() end } do
            local child = fork(function()
              if hook then process.atexit(hook) end
              util.sleep(10)
            end)
            util.sleep(0.1)
            ipc.kill(child, signal)
            is(process.wait(child).signal, signal)
          end
        end
    "##,
    );
    assert_eq!(run.diagnostics.len(), 8, "{:?}", run.diagnostics);
    for lines in run.diagnostics.chunks(2) {
        assert!(lines[0].contains("while waiting for time to pass"), "{lines:?}");
        assert!(lines[1].contains("it was at main.lua:6"), "{lines:?}");
    }
}

#[test]
fn kill_twice_while_pending_is_one_delivery() {
    lua(r##"
        local count = 0
        ipc.sigaction(15, function() count = count + 1 end)
        sys("sigprocmask", "block", { 15 })
        for _ = 1, 3 do ipc.kill(process.getpid(), 15) end
        is(count, 0)
        sys("sigprocmask", "unblock", { 15 })
        is(count, 1)
    "##);
}

#[test]
fn kill_pid_0_is_eperm() {
    lua(r##"
        is(fails("Permission denied", ipc.kill, 0, 15), "Permission denied")
        fails("Permission denied", ipc.kill, 0.0, 9)
        fails("Permission denied", ipc.kill, -0.0, 0)
    "##);
}

#[test]
fn kill_from_handlers_of_each_other_ends() {
    lua(r##"
        local function player(other)
          local count = 0
          ipc.sigaction(15, function()
            count = count + 1
            if other and count < 20 then ipc.kill(other, 15) end
          end)
          if other == nil then
            local _, pid = ipc.receiveEvent(nil, "other")
            other = pid
          end
          ipc.kill(other, 15)
          util.sleep(1)
          return count
        end
        local a = fork(player, "a")
        local b = fork(player, "b", a)
        process.yield()
        ipc.sendEvent(a, "other", b)
        local sum = join(a) + join(b)
        assert(sum >= 20, sum)
    "##);
}
