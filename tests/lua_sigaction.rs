//! From Lua: actions and handlers.

use hothouse_tests::two_cpus;

use crate::lua::{assert_good, lua, lua_with, noisy, settings, texts};

#[test]
fn sigaction_of_kill_and_stop_is_einval() {
    lua(r##"
        for _, signal in ipairs { 9, 19, 0, 32, -1, 1.5, 0/0, 1e300 } do
          is(fails("Invalid argument", ipc.sigaction, signal, function() end), "Invalid argument")
          fails("Invalid argument", ipc.sigaction, signal, nil)
        end
    "##);
}

#[test]
fn sigaction_bad_arguments_change_nothing() {
    lua(r##"
        fails("bad argument #1 (expected number, got string)", ipc.sigaction, "15", print)
        fails("bad argument #2 (expected function or nil, got number)", ipc.sigaction, 15, 3)
        fails("bad argument #2 (expected function or nil, got table)", ipc.sigaction, 15,
          setmetatable({}, { __call = function() end }))
        local child = fork(function()
          pcall(ipc.sigaction, 15, 3)
          util.sleep(1)
        end)
        util.sleep(0.5)
        ipc.kill(child, 15)
        is(process.wait(child).signal, 15)
    "##);
}

#[test]
fn sigaction_handler_gets_the_number_and_its_signal_is_masked() {
    let run = lua(r##"
        ipc.sigaction(15, function(...)
          is(select("#", ...), 1)
          is(math.type((...)), "integer")
          print("in", ...)
          if not Again then
            Again = true
            ipc.kill(process.getpid(), 15)
          end
          print("out")
        end)
        ipc.kill(process.getpid(), 15)
        print("after")
    "##);
    assert_eq!(texts(&run), ["in\t15", "out", "in\t15", "out", "after"]);
}

#[test]
fn sigaction_handler_may_call_block_exit() {
    lua(r##"
        local child = fork(function()
          ipc.sigaction(1, function()
            ipc.register("blocker")
            local _, n = ipc.receiveEvent(nil, "go")
            process.exit(n)
          end)
          util.sleep(100)
        end)
        util.sleep(1)
        ipc.kill(child, 1)
        util.sleep(1)
        ipc.sendServiceEvent("blocker", "go", 7)
        is(join(child), 7)
        is(util.now(), 2.0)
    "##);
}

#[test]
fn sigaction_handler_over_a_wait_goes_on_with_its_first_deadline() {
    lua(r##"
        local waits = {
          function() util.sleep(2) end,
          function() is(ipc.receiveEvent(nil, nil, 2), nil) end,
          function() is(util.pullEvent(2), nil) end,
          function() is(process.wait(fork(function() util.sleep(50) end), 2), nil) end,
          function() is(ipc.call(1, "ask", 1, 2), nil) end,
        }
        for _, wait in ipairs(waits) do
          local child = fork(function()
            local count, start = 0, util.now()
            ipc.sigaction(1, function() count = count + 1 end)
            wait()
            is(util.now() - start, 2.0)
            is(count, 2)
          end)
          util.sleep(0.5)
          ipc.kill(child, 1)
          util.sleep(0.5)
          ipc.kill(child, 1)
          join(child)
        end
    "##);
}

#[test]
fn sigaction_handler_interrupts_a_burst_whose_rest_goes_on_afterwards() {
    let run = lua_with(
        &settings(),
        two_cpus,
        &[r##"
        local child = fork(function()
          local seen
          ipc.sigaction(1, function() seen = util.now() util.sleep(3) end)
          process.compute(2)
          is(seen, 0.5)
          is(util.now(), 5.0)
          is(process.clock(), 2.0)
        end)
        util.sleep(0.5)
        ipc.kill(child, 1)
        join(child)
    "##],
    );
    assert_good(&run);
}

#[test]
fn sigaction_an_event_for_the_interrupted_wait_stays_queued() {
    lua(r##"
        local child = fork(function()
          ipc.sigaction(1, function() util.sleep(1) end)
          local name, param = ipc.receiveEvent(nil, "for wait")
          is(util.now(), 1.5)
          return param
        end)
        util.sleep(0.5)
        ipc.kill(child, 1)
        util.sleep(0.5)
        ipc.sendEvent(child, "for wait", 5)
        is(join(child), 5)
    "##);
}

#[test]
fn sigaction_a_handlers_own_receive_takes_the_event() {
    lua(r##"
        local child = fork(function()
          local taken
          ipc.sigaction(1, function() taken = select(2, ipc.receiveEvent(nil, "x")) end)
          is(select(2, ipc.receiveEvent(nil, "x")), 2)
          return taken
        end)
        util.sleep(0.5)
        ipc.kill(child, 1)
        util.sleep(0.5)
        ipc.sendEvent(child, "x", 1)
        util.sleep(0.5)
        ipc.sendEvent(child, "x", 2)
        is(join(child), 1)
    "##);
}

#[test]
fn sigaction_a_deadline_that_passed_during_the_handler_has_timed_out() {
    lua(r##"
        local child = fork(function()
          ipc.sigaction(1, function() util.sleep(5) end)
          is(ipc.receiveEvent(nil, "x", 1), nil)
          is(util.now(), 5.5)
          ipc.sigaction(1, function() util.sleep(5) ipc.sendEvent(process.getpid(), "x", 9) end)
          is(select(2, ipc.receiveEvent(nil, "x", 1)), 9)
        end)
        util.sleep(0.5)
        ipc.kill(child, 1)
        util.sleep(5.5)
        ipc.kill(child, 1)
        join(child)
    "##);
}

#[test]
fn sigaction_an_error_in_a_handler_is_logged_and_the_process_lives() {
    let run = noisy(
        r##"
        local kinds = { "text", {}, setmetatable({}, { __tostring = error }), false, print }
        for i = 1, 6 do
          ipc.sigaction(15, function() error(kinds[i], 0) end)
          ipc.kill(process.getpid(), 15)
        end
        print("lives")
    "##,
    );
    assert_eq!(run.diagnostics.len(), 6, "{:?}", run.diagnostics);
    assert!(run.diagnostics[0].contains("in the handler of SIGTERM: text"));
    assert_eq!(texts(&run), ["lives"]);
}

#[test]
fn sigaction_pending_ones_are_delivered_lowest_first() {
    lua(r##"
        local order = {}
        local all = { 15, 3, 31, 1, 22 }
        for _, signal in ipairs(all) do
          ipc.sigaction(signal, function(n) order[#order + 1] = n end)
        end
        sys("sigprocmask", "block", all)
        for _, signal in ipairs(all) do ipc.kill(process.getpid(), signal) end
        is(table.concat(sys("sigpending"), " "), "1 3 15 22 31")
        sys("sigprocmask", "set", {})
        is(table.concat(order, " "), "1 3 15 22 31")
    "##);
}

#[test]
fn sigaction_a_handler_that_never_returns_hurts_itself_only() {
    let run = noisy(
        r##"
        local function victim(body)
          ipc.sigaction(15, body)
          util.sleep(1/0)
        end
        local sleeper = fork(victim, "a", function() while true do util.sleep(1) end end)
        local looper = fork(victim, "b", function() while true do end end)
        local parker = fork(victim, "c", function() ipc.receiveEvent() end)
        util.sleep(0.5)
        for _, pid in ipairs { sleeper, looper, parker } do ipc.kill(pid, 15) end
        util.sleep(10)
        assert(process.wait(looper).error:find("instruction budget"))
        is(process.getpinfo(parker).state, "waiting")
        for _, pid in ipairs { sleeper, parker } do
          ipc.kill(pid, 9)
          is(process.wait(pid).signal, 9)
        end
    "##,
    );
    assert_eq!(run.diagnostics.len(), 1, "{:?}", run.diagnostics);
    assert!(run.diagnostics[0].contains("main.lua:7"), "{:?}", run.diagnostics);
}

#[test]
fn sigaction_new_process_starts_with_defaults_and_no_mask() {
    lua(r##"
        ipc.sigaction(15, function() error("the parent's") end)
        sys("sigprocmask", "block", { 15 })
        local child = fork(function()
          is(#sys("sigprocmask", "block", {}), 0)
          util.sleep(10)
        end)
        util.sleep(1)
        ipc.kill(child, 15)
        is(process.wait(child).signal, 15)
    "##);
}

#[test]
fn sigaction_nil_removes_the_handler_and_the_signal_becomes_an_event() {
    lua(r##"
        local calls = 0
        ipc.sigaction(15, function() calls = calls + 1 end)
        ipc.kill(process.getpid(), 15)
        ipc.sigaction(15, nil)
        ipc.kill(process.getpid(), 15)
        local name, param = util.pullEvent()
        is(name, "signal")
        is(param.signal, 15)
        is(calls, 1)
        ipc.sigaction(2)
        ipc.kill(process.getpid(), 2)
        is(ipc.receiveEvent(nil, "signal", 0), nil)
        is(select(2, util.filterEvent("signal")).signal, 2)
    "##);
}

#[test]
fn sigaction_never_set_each_number_does_what_is_written() {
    lua(r##"
        local ends, stops = {}, {}
        for _, n in ipairs { 1, 2, 3, 5, 6, 13, 15 } do ends[n] = true end
        for _, n in ipairs { 19, 21, 22 } do stops[n] = true end
        for signal = 1, 31 do
          if signal ~= 9 and signal ~= 3 and signal ~= 6 then
            local child = fork(function()
              local name, param = util.pullEvent(1)
              return name and name .. param.signal or "nothing"
            end)
            process.yield()
            ipc.kill(child, signal)
            if stops[signal] then
              is(process.getpinfo(child).state, "stopped")
              ipc.kill(child, 9)
            end
            local exit = process.wait(child)
            if ends[signal] then
              is(exit.signal, signal)
            elseif signal == 18 then
              is(exit.value, "nothing")
            elseif not stops[signal] then
              is(exit.value, "signal" .. signal)
            end
          end
        end
    "##);
}

#[test]
fn sigaction_the_handler_is_replaced_inside_itself() {
    lua(r##"
        local order = ""
        ipc.sigaction(15, function()
          order = order .. "a"
          ipc.sigaction(15, function() order = order .. "b" end)
        end)
        ipc.kill(process.getpid(), 15)
        ipc.kill(process.getpid(), 15)
        is(order, "ab")
    "##);
}

#[test]
fn sigaction_signal_constants() {
    lua(r##"
        local want = { SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGTRAP = 5, SIGABRT = 6, SIGKILL = 9,
          SIGPIPE = 13, SIGTERM = 15, SIGCONT = 18, SIGSTOP = 19, SIGTTIN = 21, SIGTTOU = 22 }
        local count = 0
        for name, number in pairs(sig) do
          is(number, want[name])
          count = count + 1
        end
        is(count, 12)
    "##);
}

#[test]
fn sigwait_takes_a_masked_signal() {
    lua(r##"
        sys("sigprocmask", "block", { 15 })
        ipc.kill(process.getpid(), 15)
        is(sys("sigwait", { 15 }, 1), 15)
        fails("Connection timed out", sys, "sigwait", { 15 }, 1)
        is(util.now(), 1.0)
    "##);
}
