use std::cell::Cell;
use std::rc::Rc;

use mlua::{Error, Function, Lua, Table};

use super::{Budget, BudgetExhausted, install};

/// Large enough for what a test means to do, small enough for what it means not to.
const STEPS: u64 = 5_000_000;

pub(super) struct Bench {
    pub(super) lua: Lua,
    pub(super) budget: Budget,
    pub(super) warnings: Rc<Cell<u32>>,
}

/// A state whose globals have the library; `original` has Lua's own string library.
pub(super) fn bench(strict: bool) -> Bench {
    let lua = Lua::new();
    let globals = lua.globals();
    let original = lua.create_table().unwrap();
    for pair in globals.get::<Table>("string").unwrap().pairs::<String, Function>() {
        let (name, function) = pair.unwrap();
        original.set(name, function).unwrap();
    }
    let (budget, warnings) = (Budget::new(STEPS), Rc::new(Cell::new(0)));
    let count = warnings.clone();
    install(&lua, &globals, &budget, move || {
        count.set(count.get() + 1);
        if strict { Err(Error::runtime("several keys without an order")) } else { Ok(()) }
    })
    .unwrap();
    globals.set("original", original).unwrap();
    let account = budget.clone();
    let triggers = mlua::HookTriggers::new().every_nth_instruction(1000);
    lua.set_global_hook(triggers, move |_, _| {
        account.charge(1000)?;
        Ok(mlua::VmState::Continue)
    })
    .unwrap();
    Bench { lua, budget, warnings }
}

/// Runs a program, which fails by an error.
pub(super) fn run(source: &str) {
    let bench = bench(false);
    if let Err(error) = bench.lua.load(source).set_name("=program").exec() {
        panic!("{error}");
    }
}

/// Whether a program uses up the budget.
fn runs_out(source: &str) {
    let bench = bench(false);
    let error = bench.lua.load(source).exec().expect_err(source);
    assert!(BudgetExhausted::is_in(&error), "{source}: {error}");
    assert!(bench.budget.is_exhausted());
}

#[test]
fn patterns_that_backtrack_for_ever_run_out() {
    runs_out(r#"("a"):rep(200):find((".-"):rep(4).."b")"#);
    runs_out(r#"("a"):rep(200):match((".-"):rep(5).."b")"#);
    runs_out(r#"for _ in ("a"):rep(200):gmatch((".-"):rep(5).."b") do end"#);
    runs_out(r#"("a"):rep(200):gsub((".-"):rep(5).."b", "")"#);
    runs_out(r#"("a"):rep(200):gsub((".-"):rep(5).."b", {})"#);
    runs_out(r#"("a"):rep(1e6):find(("a"):rep(5e5).."b", 1, true)"#);
    runs_out(r#"("("):rep(1e5):find("%b()")"#);
}

#[test]
fn loops_that_no_memory_bounds_run_out() {
    runs_out(r#"table.move({}, 1, 1e18, 2)"#);
    runs_out(
        r#"table.move(setmetatable({}, {__index = rawlen}), 1, 1e18, 2, setmetatable({}, {__newindex = rawequal}))"#,
    );
    runs_out(
        r#"table.concat(setmetatable({}, {__index = function() return "" end}), "", 1, 1e18)"#,
    );
    runs_out(
        r#"table.concat(setmetatable({}, {__len = function() return 1e18 // 1 | 0 end, __index = rawlen}))"#,
    );
    runs_out(r#"table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 1)"#);
    runs_out(r#"table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)"#);
    runs_out(
        r#"table.sort(setmetatable({}, {__len = function() return 1 << 30 end, __index = rawlen}))"#,
    );
    runs_out(r#"while true do local s = ("x"):rep(1e6) end"#);
    runs_out(r#"local s = ("x"):rep(1e6) while true do s:upper() end"#);
    runs_out(r#"while true do string.pack("c1000000", "") end"#);
    runs_out(r#"local t = {} while true do table.unpack(t, 1, 1e5) end"#);
    runs_out(r#"local s = "a" .. ("\x80"):rep(1e6) while true do utf8.offset(s, 2) end"#);
    runs_out(r#"local s = ("x"):rep(1e5) while true do s:byte(1, -1) end"#);
    runs_out(r#"local s = ("x"):rep(1e6) while true do s:gsub("^y", "z") end"#);
    run(r#"assert(("").rep("", 1 << 62) == "")"#);
}

#[test]
fn small_reads_of_large_strings_are_cheap() {
    run(r#"
local s = string.rep("abcd", 500000)
for i = 1, 2000 do
  assert(s:byte(i, i) and s:byte(-i, -i) and utf8.codepoint(s, i) and utf8.offset(s, 2, i) == i + 1)
  assert(string.unpack("<i4", s, i) and utf8.len(s, i, i) == 1 and s:find("b", i) and s:match("^.", i))
  assert(s:sub(i, i) == ("abcd"):sub((i - 1) % 4 + 1, (i - 1) % 4 + 1))
end
local n = 0
for c in s:gmatch("[ac]") do n = n + 1 if n == 2000 then break end end
"#);
}

#[test]
fn budget_flag_outlives_pcall_and_refill() {
    let bench = bench(false);
    let source = r#"pcall(string.find, ("a"):rep(200), (".-"):rep(4) .. "b")"#;
    let _ = bench.lua.load(source).exec();
    bench.budget.refill();
    assert!(bench.budget.is_exhausted());
    assert_eq!(bench.budget.left(), STEPS);
    bench.budget.clear(7);
    assert!(!bench.budget.is_exhausted());
    assert_eq!(bench.budget.left(), 7);
    assert!(bench.budget.charge(7).is_ok());
    assert!(BudgetExhausted::is_in(&bench.budget.charge(1).unwrap_err()));
}

/// Whether a chunk fails with `message` at its second line.
fn fails(source: &str, message: &str) {
    let bench = bench(false);
    let check = r#"
local source, message = ...
local ok, got = pcall(load("\n" .. source, "=p"))
assert(not ok and got == "p:2: " .. message, source .. ": " .. tostring(got))
"#;
    if let Err(error) = bench.lua.load(check).call::<()>((source, message)) {
        panic!("{error}");
    }
}

#[test]
fn errors_are_texts_with_the_programs_line() {
    fails(r#"local x = ("x"):find("%")"#, "malformed pattern (ends with '%')");
    fails(r#"local x = ("x"):find("%")"#, "malformed pattern (ends with '%')");
    fails(r#"local x = ("x"):match("%")"#, "malformed pattern (ends with '%')");
    fails(r#"local x = ("x"):gsub("%f", "")"#, "missing '[' after '%f' in pattern");
    fails(r#"local x = ("x"):gsub("%f", {})"#, "missing '[' after '%f' in pattern");
    fails(r#"for _ in ("x"):gmatch("%f") do end"#, "missing '[' after '%f' in pattern");
    fails(r#"local x = ("x"):gsub("x", {x = {}})"#, "invalid replacement value (a table)");
    fails(r#"local x = ("x"):gsub("x", "%y")"#, "invalid use of '%' in replacement string");
    fails(
        r#"local x = ("x"):gsub("x")"#,
        "bad argument #3 to 'gsub' (string/function/table expected, got nil)",
    );
    fails(
        r#"local x = ("%d"):format("x")"#,
        "bad argument #2 to 'format' (number expected, got string)",
    );
    fails(r#"local x = ("%d%d"):format(1)"#, "bad argument #3 to 'format' (no value)");
    fails(r#"local x = ("%y"):format(1)"#, "invalid conversion '%y' to 'format'");
    fails(r#"local x = ("x"):rep({})"#, "bad argument #2 to 'rep' (number expected, got table)");
    fails(r#"local x = ("x"):rep(1 << 40)"#, "resulting string too large");
    fails(
        r#"local x = string.upper({})"#,
        "bad argument #1 to 'upper' (string expected, got table)",
    );
    fails(
        r#"for _ in pairs(nil) do end"#,
        "bad argument #1 to 'for iterator' (table expected, got nil)",
    );
    fails(r#"local x = table.concat({1, {}})"#, "invalid value (at index 2) in table for 'concat'");
    fails(r#"table.insert({}, 3, 1)"#, "bad argument #2 to 'insert' (position out of bounds)");
    fails(r#"table.insert({})"#, "wrong number of arguments to 'insert'");
    fails(r#"local x = table.unpack({}, 1, 1e9)"#, "too many results to unpack");
    fails(r#"local x = string.find()"#, "bad argument #1 to 'find' (string expected, got nil)");
    fails(
        r#"local x = ("x"):find("x", 1.5)"#,
        "bad argument #3 to 'find' (number has no integer representation)",
    );
    fails(r#"table.remove({1}, 5)"#, "bad argument #2 to 'remove' (position out of bounds)");
    fails(r#"local x = tostring()"#, "bad argument #1 to 'tostring' (value expected)");
    fails(
        r#"local x = tostring(setmetatable({}, {__tostring = function() end}))"#,
        "'__tostring' must return a string",
    );
    fails(
        r#"local x = ("%s"):format(setmetatable({}, {__tostring = function() end}))"#,
        "'__tostring' must return a string",
    );
    fails(
        r#"setmetatable(setmetatable({}, {__metatable = 1}), {})"#,
        "cannot change a protected metatable",
    );
    fails(r#"table.insert(getmetatable(''), 1)"#, "attempt to change a frozen library");
    fails(r#"local x = utf8.offset("\x80", 1)"#, "initial position is a continuation byte");
}

#[test]
fn callbacks_may_park() {
    run(r##"
local function parked(f, ...)
  local args, values = table.pack(...), {}
  local co = coroutine.create(f)
  local ok, value = coroutine.resume(co, ...)
  while ok and coroutine.status(co) == "suspended" do
    values[#values + 1] = value
    ok, value = coroutine.resume(co, value)
  end
  assert(ok, value)
  return value, #values
end
local t = {3, 1, 2}
local _, n = parked(function()
  table.sort(t, function(a, b) coroutine.yield(a) return a < b end)
end)
assert(table.concat(t, " ") == "1 2 3" and n >= 3)
local text, n = parked(function() return (("a-b-c"):gsub("%a", coroutine.yield)) end)
assert(text == "a-b-c" and n == 3)
local text, n = parked(function() return (("a-b"):gsub("%a", setmetatable({}, {__index = function(_, k) return coroutine.yield(k) .. "!" end}))) end)
assert(text == "a!-b!" and n == 2)
local object = setmetatable({}, {__tostring = function() return coroutine.yield("shown") end})
assert(parked(function() return tostring(object) end) == "shown")
assert(parked(function() return ("<%s>"):format(object) end) == "<shown>")
local list = setmetatable({}, {__index = function(_, i) return coroutine.yield("v" .. i) end, __len = function() return 2 end})
assert(parked(function() return table.concat(list, ",") end) == "v1,v2")
local values = parked(function() return table.pack(table.unpack(list, 1, 6)) end)
assert(values.n == 6 and values[6] == "v6")
local from = setmetatable({}, {__pairs = function(t) return function(_, k) return coroutine.yield(not k and 1 or nil) end, t, nil end})
assert(parked(function() for k in pairs(from) do return k end end) == 1)
"##);
}
