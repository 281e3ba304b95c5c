//! From Lua: sending and receiving events.

use hothouse::{Limits, Pid};

use crate::lua::{assert_good, lua, lua_with, settings, texts};

#[test]
fn send_event_reaches_a_live_process_once_and_oneself_too() {
    lua(r##"
        local me = process.getpid()
        is(ipc.sendEvent(me, "note", 5), true)
        local name, param = ipc.receiveEvent()
        is(name, "note")
        is(param, 5)
        is(ipc.sender(), me)
        is(ipc.receiveEvent(nil, nil, 0), nil)
        is(ipc.sendEvent(me, "no param"), true)
        is(select("#", ipc.receiveEvent()), 2)
    "##);
}

#[test]
fn send_event_is_fifo_and_all_arrivals_have_one_order() {
    lua(r##"
        local function sender(name)
          for i = 1, 3 do
            ipc.sendEvent(1, name, i)
            process.yield()
          end
        end
        local a, b = fork(sender, "a", "a"), fork(sender, "b", "b")
        local seen = {}
        for i = 1, 6 do
          local name, param = ipc.receiveEvent()
          seen[i] = name .. param
        end
        is(table.concat(seen, " "), "a1 b1 a2 b2 a3 b3")
    "##);
}

#[test]
fn send_event_to_the_dead_the_missing_and_the_kernel_is_false() {
    let run = lua(r##"
        local dead = fork(function() end)
        join(dead)
        local count = 0
        for _, pid in ipairs { dead, 99, 0, -1, 1.5, 0/0, 1/0, 1e300, math.mininteger } do
          is(ipc.sendEvent(pid, "x", {}), false)
          count = count + 1
        end
        is(count, 9)
        is(ipc.receiveEvent(nil, nil, 0), nil)
    "##);
    assert_eq!(run.report.counters.dead_letters, 9);
}

#[test]
fn send_event_bad_arguments_are_named_and_send_nothing() {
    let run = lua(r##"
        fails("bad argument #1 (expected number, got nil)", ipc.sendEvent)
        fails("bad argument #1 (expected number, got string)", ipc.sendEvent, "1", "x")
        fails("bad argument #2 (expected string, got nil)", ipc.sendEvent, 1)
        fails("bad argument #2 (expected string, got number)", ipc.sendEvent, 1, 5)
        local cycle = {} cycle[1] = cycle
        local deep = {} for _ = 1, 200 do deep = { deep } end
        local bad = { function() end, coroutine.create(print), cycle, deep, { { print } },
          { [print] = 1 }, { [{}] = 1 }, { a = { b = { coroutine.create(print) } } } }
        for i, value in ipairs(bad) do
          local ok, text = pcall(ipc.sendEvent, 1, "x", value)
          assert(not ok and text:find("bad argument #3 (cannot copy", 1, true), text)
        end
        is(ipc.receiveEvent(nil, nil, 0), nil)
    "##);
    assert_eq!(run.report.counters.events, 0);
}

#[test]
fn send_event_copies_the_data_whole() {
    lua(r##"
        local bytes = {}
        for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
        bytes = table.concat(bytes)
        local function through(value)
          ipc.sendEvent(process.getpid(), "x", value)
          return select(2, ipc.receiveEvent())
        end
        for _, value in ipairs { true, false, 0, -1, math.maxinteger, math.mininteger, 0.5, -0.0,
          1/0, -1/0, "", "text", bytes, 1.0 } do
          local copy = through(value)
          is(copy, value)
          is(math.type(copy), math.type(value))
        end
        is(through(nil), nil)
        local nan = through(0/0)
        assert(nan ~= nan)
        local list = through({ 1, { 2, "three" }, false })
        is(#list, 3) is(list[2][2], "three") is(list[3], false)
        local map = through({ x = { y = { z = 1 } }, [1.5] = "f", [true] = "t", [-3] = "i", [bytes] = bytes })
        is(map.x.y.z, 1) is(map[1.5], "f") is(map[true], "t") is(map[-3], "i") is(map[bytes], bytes)
        is(next(through({})), nil)
        local holes = through({ 1, nil, 3 })
        is(holes[1], 1) is(holes[2], nil) is(holes[3], 3)
        local deep = 0
        for _ = 1, 120 do deep = { deep } end
        local copy = through(deep)
        for _ = 1, 120 do copy = copy[1] end
        is(copy, 0)
        local sparse = through({ [1 << 40] = 1 })
        is(sparse[1 << 40], 1)
    "##);
}

#[test]
fn send_event_data_is_a_copy_at_the_moment_of_sending() {
    lua(r##"
        local data = { inner = { 1 } }
        ipc.sendEvent(1, "x", data)
        data.inner[1] = 2
        data.more = true
        local _, copy = ipc.receiveEvent()
        is(copy.inner[1], 1)
        is(copy.more, nil)
        copy.inner[1] = 3
        is(data.inner[1], 2)
    "##);
}

#[test]
fn send_event_ignores_metatables() {
    lua(r##"
        local trap = function() error("called") end
        local hostile = setmetatable({ 1, 2, x = 3 },
          { __index = trap, __len = trap, __pairs = trap, __name = "evil", __tostring = trap, __eq = trap })
        ipc.sendEvent(1, "x", hostile)
        local _, copy = ipc.receiveEvent()
        is(getmetatable(copy), nil)
        is(copy[2], 2)
        is(copy.x, 3)
    "##);
}

#[test]
fn send_event_over_the_mailbox_limit_is_false_and_over_the_byte_limit_an_error() {
    let limits = Limits { mailbox_events: 3, mailbox_bytes: 2000, ..Limits::default() };
    let run = lua_with(
        &settings(),
        |b| b.limits(limits.clone()),
        &[r##"
        fails("Message too long", ipc.sendEvent, 1, "x", ("x"):rep(3000))
        for i = 1, 5 do is(ipc.sendEvent(1, "x", i), i <= 3) end
        for i = 1, 3 do is(select(2, ipc.receiveEvent()), i) end
        is(ipc.receiveEvent(nil, nil, 0), nil)
        is(ipc.sendEvent(1, "x", ("x"):rep(1500)), true)
        is(ipc.sendEvent(1, "x", ("x"):rep(1500)), false)
        is(#select(2, ipc.receiveEvent()), 1500)
    "##],
    );
    assert_good(&run);
}

#[test]
fn send_event_to_a_stopped_receiver_queues() {
    lua(r##"
        local child = fork(function()
          local sum = 0
          for _ = 1, 3 do sum = sum + select(2, ipc.receiveEvent()) end
          return sum
        end)
        process.yield()
        ipc.kill(child, 19)
        for i = 1, 3 do is(ipc.sendEvent(child, "n", i), true) end
        is(process.getpinfo(child).events, 3)
        util.sleep(1)
        is(process.getpinfo(child).state, "stopped")
        ipc.kill(child, 18)
        is(join(child), 6)
    "##);
}

#[test]
fn receive_event_filters_and_leaves_the_others_in_order() {
    lua(r##"
        local function sender() for i = 1, 2 do ipc.sendEvent(1, "a", i) ipc.sendEvent(1, "b", i) end end
        local first = fork(sender)
        join(first)
        local second = fork(sender)
        join(second)
        util.timer(0)
        local function take(...)
          local name, param = ipc.receiveEvent(...)
          return name and name .. param .. "/" .. ipc.sender()
        end
        is(take(second, "b"), "b1/3")
        is(take(nil, "b"), "b1/2")
        is(take(second), "a1/3")
        is(take(), "a1/2")
        is(take(), "a2/2")
        is(take(nil, "b", 0), "b2/2")
        is(take(nil, nil, 0), "a2/3")
        is(take(second, "b", 0), "b2/3")
        is(take(nil, nil, 1), nil)
        is((util.filterEvent("timer")), "timer")
    "##);
}

#[test]
fn receive_event_bad_arguments() {
    lua(r##"
        ipc.sendEvent(1, "kept")
        fails("bad argument #1 (expected number or nil, got string)", ipc.receiveEvent, "x")
        fails("bad argument #2 (expected string or nil, got number)", ipc.receiveEvent, nil, 5)
        fails("bad argument #3 (expected number or nil, got string)", ipc.receiveEvent, nil, nil, "1")
        fails("bad argument #3 (expected seconds, got NaN)", ipc.receiveEvent, nil, nil, 0/0)
        fails("bad argument #3 (expected seconds, got NaN)", ipc.receiveEvent, 1, nil, 0/0)
        fails("bad argument #3 (expected number or nil, got boolean)", ipc.receiveEvent, 1, nil, true)
        is((ipc.receiveEvent()), "kept")
    "##);
}

#[test]
fn receive_event_timeouts_are_exact() {
    lua(r##"
        local me = process.getpid()
        for _, seconds in ipairs { 0.1, 1, 2.5, 1e-9, 0.3 } do
          local start = sys("now")
          local before = util.now()
          is(ipc.receiveEvent(nil, nil, seconds), nil)
          local late = util.now() - before - seconds
          assert(math.abs(late) < 1e-9, late)
        end
        local before = util.now()
        for _, seconds in ipairs { 0, -1, -1/0, -0.0, math.mininteger } do
          is(ipc.receiveEvent(nil, nil, seconds), nil)
          is(ipc.receiveEvent(me, "x", seconds), nil)
          is(select("#", ipc.receiveEvent(nil, nil, seconds)), 1)
        end
        is(util.now(), before)
        local child = fork(function()
          util.sleep(1e6)
          ipc.sendEvent(1, "at last")
          ipc.sendEvent(1, "again")
        end)
        is((ipc.receiveEvent(nil, nil, 1/0)), "at last")
        is((ipc.receiveEvent(child, nil, math.maxinteger)), "again")
    "##);
}

#[test]
fn receive_event_at_the_instant_of_the_timeout_wins() {
    lua(r##"
        local child = fork(function() return (ipc.receiveEvent(nil, "x", 1)) end)
        util.sleep(1)
        ipc.sendEvent(child, "x")
        is(join(child), "x")
        child = fork(function() return (ipc.receiveEvent(1, "x", 1)) end)
        util.sleep(1)
        process.yield()
        ipc.sendEvent(child, "x")
        is(join(child), "x")
    "##);
}

#[test]
fn receive_event_timed_out_consumes_nothing_and_leaves_no_timer() {
    lua(r##"
        ipc.sendEvent(1, "other", 1)
        is(ipc.receiveEvent(nil, "x", 1), nil)
        is(util.now(), 1.0)
        is(ipc.receiveEvent(nil, "other", 5), "other")
        is(util.pullEvent(100), nil)
        is(util.now(), 101.0)
    "##);
}

#[test]
fn receive_event_of_a_dead_sender() {
    lua(r##"
        local dead = fork(function() end)
        join(dead)
        is(fails("No such process", ipc.receiveEvent, dead), "No such process")
        fails("No such process", ipc.receiveEvent, 99, "x")
        fails("No such process", ipc.receiveEvent, -1)
        is(util.now(), 0.0)
        is(ipc.receiveEvent(dead, nil, 2), nil)
        is(util.now(), 2.0)
        is(ipc.receiveEvent(99, "x", 0), nil)
        is(util.now(), 2.0)
        local dies = fork(function() util.sleep(1) end)
        fails("No such process", ipc.receiveEvent, dies)
        is(util.now(), 3.0)
        local dies_too = fork(function() util.sleep(1) end)
        is(ipc.receiveEvent(dies_too, nil, 3), nil)
        is(util.now(), 6.0)
    "##);
}

#[test]
fn receive_event_of_a_sender_that_died_since() {
    lua(r##"
        local child = fork(function() ipc.sendEvent(1, "will", 7) end)
        join(child)
        is(select(2, ipc.receiveEvent(child)), 7)
        fails("No such process", ipc.receiveEvent, child)
    "##);
}

#[test]
fn receive_event_in_a_handler_is_served_first() {
    lua(r##"
        local child = fork(function()
          local order = ""
          ipc.sigaction(1, function()
            local _, n = ipc.receiveEvent()
            order = order .. "h" .. n
          end)
          local _, n = ipc.receiveEvent()
          return order .. "w" .. n
        end)
        util.sleep(1)
        ipc.kill(child, 1)
        util.sleep(1)
        ipc.sendEvent(child, "x", 1)
        ipc.sendEvent(child, "x", 2)
        is(join(child), "h1w2")
    "##);
}

#[test]
fn receive_event_takes_sent_events_only() {
    lua(r##"
        util.timer(0)
        util.queueEvent("own")
        ipc.sigaction(31, nil)
        ipc.kill(1, 31)
        process.monitor(99)
        is(ipc.receiveEvent(nil, nil, 1), nil)
        local seen = {}
        for i = 1, 4 do seen[i] = util.pullEvent() end
        table.sort(seen)
        is(table.concat(seen, " "), "down own signal timer")
    "##);
}

#[test]
fn names_register_taken_is_false_also_by_oneself() {
    lua(r##"
        is(ipc.register("a"), true)
        is(ipc.register("a"), false)
        is(join(fork(function() return ipc.register("a") end)), false)
        is(ipc.lookup("a"), 1)
    "##);
}

#[test]
fn names_are_any_bytes_up_to_the_limit() {
    lua(r##"
        for i = 0, 255 do
          local name = string.char(i)
          is(ipc.register(name), true)
          is(ipc.lookup(name), 1)
          ipc.unregister(name)
        end
        is(ipc.register(""), true)
        is(ipc.register(("n"):rep(255)), true)
        is(fails("File name too long", ipc.register, ("n"):rep(256)), "File name too long")
        fails("File name too long", ipc.sendEvent, 1, ("n"):rep(256))
        fails("bad argument #1 (expected string, got number)", ipc.register, 5)
        fails("bad argument #1 (expected string, got nil)", ipc.lookup)
        fails("bad argument #1 (expected string, got table)", ipc.unregister, {})
    "##);
}

#[test]
fn names_are_freed_by_every_death_before_the_parent_is_told() {
    let run = crate::lua::noisy(
        r##"
        local ends = { function() end, process.exit, error, function() error({}) end,
          function() ipc.kill(process.getpid(), 9) end, function() ipc.kill(process.getpid(), 15) end,
          function() while true do end end }
        for i, finish in ipairs(ends) do
          fork(function()
            ipc.register("name")
            ipc.register("name2")
            util.sleep(1)
            finish()
          end)
          is((util.pullEvent()), "process_complete")
          is(ipc.lookup("name"), nil)
          is(ipc.lookup("name2"), nil)
          is(ipc.register("name"), true)
          ipc.unregister("name")
        end
        print("all")
    "##,
    );
    assert_eq!(texts(&run), ["all"]);
}

#[test]
fn names_unregister_of_what_is_not_ones_own_is_enoent() {
    lua(r##"
        is(fails("No such file or directory", ipc.unregister, "free"), "No such file or directory")
        ipc.register("mine")
        join(fork(function() fails("No such file or directory", ipc.unregister, "mine") end))
        ipc.unregister("mine")
        is(ipc.lookup("mine"), nil)
        is(ipc.register("mine"), true)
    "##);
}

#[test]
fn send_service_event_finds_the_owner_or_is_false() {
    let run = lua(r##"
        is(ipc.sendServiceEvent("free", "x", 1), false)
        ipc.register("me")
        is(ipc.sendServiceEvent("me", "x", { 1 }), true)
        is(select(2, ipc.receiveEvent())[1], 1)
        fails("bad argument #1 (expected string, got nil)", ipc.sendServiceEvent)
        fails("bad argument #2 (expected string, got nil)", ipc.sendServiceEvent, "me")
        fails("bad argument #3 (cannot copy a function)", ipc.sendServiceEvent, "me", "x", print)
        is(ipc.receiveEvent(nil, nil, 0), nil)
    "##);
    assert_eq!(run.exit(1).pid, Pid::new(1));
}

#[test]
fn receive_event_for_ever_from_the_dead_is_an_error() {
    lua(r##"
        local pid = process.fork(function() end, "child")
        process.wait(pid)
        local ok, text = pcall(ipc.receiveEvent, pid, nil, 1 / 0)
        is(ok, false)
        is(text, "No such process")
        is(ipc.receiveEvent(pid, nil, 2), nil)
        is(util.now(), 2.0)
    "##);
}
