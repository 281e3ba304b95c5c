//! From Lua: time, timers, the event queue, requests and replies, the raw ABI.

use crate::lua::{lua, noisy, texts};

#[test]
fn sleep_is_exact_and_drops_nothing() {
    lua(r##"
        ipc.sendEvent(1, "kept")
        util.timer(0.5)
        for _, seconds in ipairs { 0.1, 1, 2.5 } do
          local before = util.now()
          util.sleep(seconds)
          assert(math.abs(util.now() - before - seconds) < 1e-9)
        end
        local before = util.now()
        for _, seconds in ipairs { 0, -1, -1/0 } do util.sleep(seconds) end
        is(util.now(), before)
        fails("bad argument #1 (expected seconds, got NaN)", util.sleep, 0/0)
        fails("bad argument #1 (expected number, got nil)", util.sleep)
        fails("bad argument #1 (expected number, got string)", util.sleep, "1")
        is((util.pullEvent()), "remote_event")
        is((util.pullEvent()), "timer")
    "##);
}

#[test]
fn timer_fires_once_and_equal_deadlines_in_arming_order() {
    lua(r##"
        local a, b, c = util.timer(1), util.timer(0.5), util.timer(1)
        local seen = {}
        for i = 1, 3 do
          local name, param = util.pullEvent()
          is(name, "timer")
          seen[i] = param.id
        end
        is(seen[1], b) is(seen[2], a) is(seen[3], c)
        is(util.now(), 1.0)
        is(util.pullEvent(10), nil)
        fails("bad argument #1 (expected seconds, got NaN)", util.timer, 0/0)
    "##);
}

#[test]
fn alarm_fires_at_a_point_in_time() {
    lua(r##"
        util.sleep(1)
        local id = util.alarm(2.5)
        local name, param = util.pullEvent()
        is(name, "alarm") is(param.id, id) is(util.now(), 2.5)
        util.alarm(1)
        is((util.pullEvent()), "alarm")
        is(util.now(), 2.5)
    "##);
}

#[test]
fn cancel_gives_the_time_left_or_einval() {
    lua(r##"
        local id = util.timer(5)
        util.sleep(2)
        is(util.cancel(id), 3.0)
        fails("Invalid argument", util.cancel, id)
        local fired = util.timer(0)
        util.pullEvent()
        for _, other in ipairs { fired, 999, -1, 1.5, 0/0 } do
          fails("Invalid argument", util.cancel, other)
        end
        fails("bad argument #1 (expected number, got nil)", util.cancel)
        local mine = util.timer(50)
        join(fork(function() fails("Invalid argument", util.cancel, mine) end))
        is(util.cancel(mine), 50.0)
    "##);
}

#[test]
fn pull_event_is_the_next_of_any_kind() {
    lua(r##"
        util.queueEvent("own", { 1 })
        ipc.sendEvent(1, "note", 5)
        local name, param = util.peekEvent()
        is(name, "own") is(param[1], 1)
        name, param = util.pullEvent()
        is(name, "own") is(param[1], 1)
        name, param = util.pullEvent()
        is(name, "remote_event") is(param.type, "note") is(param.sender, 1) is(param.data, 5)
        is(util.peekEvent(), nil)
        is(util.pullEvent(0), nil)
        is(util.pullEvent(1.5), nil)
        is(util.now(), 1.5)
        fails("bad argument #1 (expected number or nil, got string)", util.pullEvent, "x")
        fails("bad argument #1 (expected string, got nil)", util.queueEvent)
        fails("bad argument #2 (cannot copy a function)", util.queueEvent, "x", print)
    "##);
}

#[test]
fn filter_event_takes_those_names_and_leaves_the_others() {
    lua(r##"
        for _, name in ipairs { "a", "b", "c", "b" } do util.queueEvent(name) end
        ipc.sendEvent(1, "b", 1)
        is((util.filterEvent("c", "b")), "b")
        is((util.filterEvent("c")), "c")
        is((util.filterEvent("remote_event")), "remote_event")
        is((util.filterEvent("b", "a")), "a")
        is((util.filterEvent("b")), "b")
        is(util.peekEvent(), nil)
        fails("bad argument #2 (expected string, got number)", util.filterEvent, "a", 5)
    "##);
}

#[test]
fn call_and_reply_are_matched_by_a_token() {
    lua(r##"
        local server = fork(function()
          ipc.register("server")
          local _, first = ipc.receiveEvent(nil, "ask")
          is(ipc.reply(first * 2), true)
          fails("Operation already in progress", ipc.reply, 5)
          while true do
            local _, n = ipc.receiveEvent(nil, "ask")
            util.sleep(n)
            ipc.reply(n)
          end
        end)
        process.yield()
        local name, param = ipc.call(server, "ask", 21)
        is(param, 42)
        is(ipc.call(server, "ask", 2, 1), nil)
        is(util.now(), 1.0)
        is(select(2, ipc.call(server, "ask", 0.5)), 0.5)
        fails("No such process", ipc.call, 99, "ask", 1)
        fails("No such process", ipc.call, 99, "ask", 1, 5)
        local killer = fork(function() util.sleep(1) ipc.kill(server, 9) end)
        fails("No such process", ipc.call, server, "ask", 100)
        fails("bad argument #1 (expected number, got nil)", ipc.call)
        fails("bad argument #4 (expected number or nil, got string)", ipc.call, 1, "x", 1, "y")
    "##);
}

#[test]
fn reply_after_the_caller_gave_up_is_false() {
    lua(r##"
        local server = fork(function()
          local _, n = ipc.receiveEvent(nil, "ask")
          util.sleep(2)
          is(ipc.reply(n), false)
          is((ipc.receiveEvent(nil, "end")), "end")
        end)
        is(ipc.call(server, "ask", 1, 1), nil)
        util.sleep(5)
        is(ipc.receiveEvent(nil, nil, 0), nil)
        ipc.sendEvent(server, "end")
        join(server)
        fails("there is no request to reply to", ipc.reply, 1)
        is(ipc.sender(), nil)
    "##);
}

#[test]
fn raw_calls_return_true_and_results_or_false_and_a_message() {
    lua(r##"
        local raw = function(...) return coroutine.yield("syscall", ...) end
        local ok, pid = raw("getpid")
        is(ok, true) is(pid, 1)
        ok, text = raw("kill", 99, 15)
        is(ok, false) is(text, "No such process")
        is(select("#", raw("send_event", 1, "x", 5)), 1)
        ok, name, param = raw("receive_event")
        is(ok, true) is(name, "x") is(param, 5)
        for _, name in ipairs { "no such", "", 5, true, {}, "nanos", "diagnose" } do
          ok, text = raw(name)
          is(ok, false) is(text, "No such syscall")
        end
        is(select(2, raw()), "No such syscall")
        ok, text = raw("kill", "x", 15)
        is(ok, false) is(text, "bad argument #1 (expected number, got string)")
        ok, text = raw("sigaction", 15, 5)
        is(ok, false)
    "##);
}

#[test]
fn raw_yield_is_the_next_event_and_elsewhere_plain_lua() {
    lua(r##"
        ipc.sendEvent(1, "note", 5)
        util.queueEvent("own", 6)
        local name, param = coroutine.yield()
        is(name, "remote_event") is(param.type, "note") is(param.sender, 1) is(param.data, 5)
        name, param = coroutine.yield()
        is(name, "own") is(param, 6)
        local co = coroutine.create(function(...)
          is(coroutine.yield("syscall", "getpid"), "back")
          return "end"
        end)
        local ok, a, b = coroutine.resume(co)
        is(a, "syscall") is(b, "getpid")
        is(select(2, coroutine.resume(co, "back")), "end")
    "##);
}

#[test]
fn raw_locks_work() {
    let run = noisy(
        r##"
        local mutex = sys("create_lock", "mutex")
        sys("lock", mutex)
        fails("Resource deadlock avoided", sys, "lock", mutex)
        local child = fork(function()
          fails("Permission denied", sys, "unlock", mutex)
          fails("Connection timed out", sys, "lock", mutex, 1)
          sys("lock", mutex)
          print("locked at " .. util.now())
          error("dies with it", 0)
        end)
        util.sleep(2)
        sys("unlock", mutex)
        process.wait(child)
        print(coroutine.yield("syscall", "lock", mutex))
        local gate = sys("create_lock", "semaphore", 1)
        sys("acquire", gate)
        is(select(2, coroutine.yield("syscall", "try_acquire", gate)), "Resource temporarily unavailable")
        sys("release", gate)
        fails("Invalid argument", sys, "create_lock", "rwlock")
        fails("Invalid argument", sys, "lock", 999)
    "##,
    );
    assert_eq!(texts(&run)[0], "locked at 2.0");
}
