use mlua::{Function, Table};

use super::freeze;
use super::tests::{bench, run};

#[test]
fn pairs_goes_in_order() {
    run(r##"
local function keys(t, iterate)
  local all = {}
  for k, v in iterate(t) do
    assert(rawequal(rawget(t, k), v))
    all[#all + 1] = type(k) == "string" and k or tostring(k)
  end
  return table.concat(all, " ")
end
local function bynext(t) return next, t, nil end
local function both(t, expected)
  local got = keys(t, pairs)
  assert(got == expected, "pairs: " .. got .. " instead of " .. expected)
  got = keys(t, bynext)
  assert(got == expected, "next: " .. got .. " instead of " .. expected)
end
both({}, "")
both({"a", "b", "c"}, "1 2 3")
both({[3] = 1, [2] = 1, [1] = 1}, "1 2 3")
both({"a", nil, "c", [-1] = 1, [0] = 1, [2.5] = 1, [1e300] = 1}, "1 -1 0 2.5 3 1e+300")
both({z = 1, a = 1, B = 1, ["\255"] = 1, [""] = 1, [true] = 1, [false] = 1, [-1/0] = 1}, "-inf  B a z \255 false true")
both({1, 2, x = 1, [true] = 1}, "1 2 x true")
both({[print] = 1, b = 1, 1}, "1 b " .. tostring(print))
both({[10] = 1, [11] = 1, [10.5] = 1}, "10 10.5 11")
local sparse = {}
for i = 1, 500 do sparse[(i * 7919) % 10007] = i end
for i = 1, 500 do sparse["k" .. (i * 7919) % 10007] = i end
assert(keys(sparse, pairs) == keys(sparse, bynext))
local iterate, state, first = pairs(sparse)
assert(state == sparse and first == nil and type(iterate) == "function")
"##);
}

#[test]
fn order_does_not_depend_on_history() {
    run(r##"
local function keys(t)
  local all = {}
  for k in pairs(t) do all[#all + 1] = tostring(k) end
  return table.concat(all, " ")
end
local up, down, grown = {}, {}, {}
for i = 1, 40 do up[i] = true up["s" .. i] = true end
for i = 40, 1, -1 do down["s" .. i] = true down[i] = true end
for i = 1, 2000 do grown[i] = true grown["s" .. i] = true end
for i = 2000, 41, -1 do grown["s" .. i] = nil grown[i] = nil end
assert(keys(up) == keys(down) and keys(up) == keys(grown))
"##);
}

#[test]
fn fields_may_be_changed_and_removed_on_the_way() {
    run(r##"
for _, iterate in ipairs({pairs, function(t) return next, t, nil end}) do
  for _, make in ipairs({
    function() local t = {} for i = 1, 50 do t[i] = i end return t end,
    function() local t = {} for i = 50, 1, -1 do t[i] = i end return t end,
    function() local t = {} for i = 1, 50 do t["k" .. i] = i end return t end,
    function() local t = {x = 1, y = 2, [-5] = 3} for i = 1, 20 do t[i] = i end return t end,
  }) do
    local expected, seen = 0, 0
    local t = make()
    for _ in iterate(t) do expected = expected + 1 end
    for k, v in iterate(t) do t[k] = -v seen = seen + 1 end
    assert(seen == expected)
    seen = 0
    for k in iterate(t) do t[k] = nil seen = seen + 1 end
    assert(seen == expected and next(t) == nil)
    t, seen = make(), 0
    for k in iterate(t) do
      seen = seen + 1
      if seen == 1 then for other in iterate(t) do if other ~= k then t[other] = nil end end end
    end
    assert(seen == 1, seen)
  end
end
"##);
}

#[test]
fn next_serves_loops_without_a_traversal() {
    run(r##"
local t = {}
for i = 1, 3000 do t["k" .. i] = i end
local count = 0
while next(t) do t[next(t)] = nil count = count + 1 end
assert(count == 3000)
-- What came after a traversal was given up is in the next one.
t = {b = 1, d = 1}
for k in next, t do assert(k == "b") break end
t.a, t.c = 1, 1
local seen = {}
for k in next, t do seen[#seen + 1] = k end
table.sort(seen)
assert(table.concat(seen) == "abcd", table.concat(seen))
-- Asking whether a table is empty, and walking it again, disturbs no walk.
for _, t in ipairs({{a = 1, b = 2, c = 3}, {1, 2, 3, x = 1}, {[5] = 1, [7] = 2}}) do
  local size, outer = 0, 0
  for _ in pairs(t) do size = size + 1 end
  for k in next, t do
    assert(next(t) ~= nil)
    local inner = 0
    for _ in next, t do inner = inner + 1 end
    assert(inner == size)
    outer = outer + 1
    assert(outer <= size)
  end
  assert(outer == size)
end
assert(next({}) == nil and next({7}) == 1 and select(2, next({7})) == 7)
assert(next({1, 2, 3}, 1.0) == 2 and next({10, 20, 30}, 2) == 3 and next({10, 20, 30}, 3) == nil)
assert(next({1, x = 1, y = 1}, "x") == "y")
local ok, message = pcall(next, {}, {})
assert(message:find("invalid key to 'next'"), message)
ok, message = pcall(next, 5)
assert(message:find("bad argument #1 to 'next' %(table expected, got number%)"), message)
"##);
}

#[test]
fn pairs_honours_its_metamethod() {
    run(r##"
local t = setmetatable({1, 2}, {__pairs = function(t) return function(_, k) if not k then return "own", t end end, t, nil end})
for k, v in pairs(t) do assert(k == "own" and v == t) end
local plain = setmetatable({x = 1}, {__index = function() return 5 end})
for k, v in pairs(plain) do assert(k == "x" and v == 1) end
local hidden = setmetatable({x = 1}, {__metatable = {__pairs = 5}})
for k, v in pairs(hidden) do assert(k == "x" and v == 1) end
for i, v in ipairs({4, 5, nil, 6}) do assert(v == i + 3) end
"##);
}

#[test]
fn several_keys_without_an_order_warn() {
    let bench = bench(false);
    bench.lua.load("for _ in pairs({[{}] = 1, x = 1}) do end").exec().unwrap();
    assert_eq!(bench.warnings.get(), 0);
    bench.lua.load("local n = 0 for _ in pairs({[{}] = 1, [{}] = 1, x = 1}) do n = n + 1 end assert(n == 3)")
        .exec()
        .unwrap();
    assert_eq!(bench.warnings.get(), 1);
}

#[test]
fn several_keys_without_an_order_may_be_an_error() {
    let bench = super::tests::bench(true);
    for source in ["for _ in pairs(t) do end", "next(t)", "for _ in next, t do end"] {
        bench.lua.load("t = {[{}] = 1, [{}] = 1}").exec().unwrap();
        let source = format!("local ok, text = pcall(load([[\n{source}]], '=p')) return text");
        let text: String = bench.lua.load(source).call(()).unwrap();
        assert_eq!(text, "p:1: several keys without an order");
    }
}

#[test]
fn tostring_numbers_objects_in_order_of_display() {
    run(r##"
local a, f, co = {}, function() end, coroutine.create(function() end)
assert(tostring(a) == "table: 1" and tostring(f) == "function: 2" and tostring(co) == "thread: 3")
assert(tostring(a) == "table: 1" and ("%s %10s|"):format(a, f) == "table: 1 function: 2|")
assert(tostring(print):find("^function: %d+$") and tostring(setmetatable({}, {__name = "Duck"})):find("^Duck: %d+$"))
assert(tostring(setmetatable({}, {__tostring = function() return "me" end, __metatable = 1})) == "me")
assert(tostring(setmetatable({}, {__tostring = function() return 12 end})) == "12")
assert(tostring(1) == "1" and tostring(1.0) == "1.0" and tostring(nil) == "nil" and tostring(true) == "true")
assert(("%p"):format(a) == "0x00000001" and ("%p %%p %d"):format(1, 2) == "(null) %p 2")
assert(not pcall(string.format, "%p", "x"))
for i = 1, 100 do tostring({}) end
assert(tostring(a) == "table: 1")
"##);
}

#[test]
fn collector_dependent_metatables_are_refused() {
    run(r##"
local ok, text = pcall(setmetatable, {}, {__gc = true})
assert(not ok and text:find("__gc is not available here: "), text)
ok, text = pcall(setmetatable, {}, {__mode = "k"})
assert(not ok and text:find("__mode is not available here: "), text)
ok, text = pcall(setmetatable, {})
assert(text:find("nil or table expected, got no value"), text)
ok, text = pcall(setmetatable, {}, 5)
assert(text:find("nil or table expected, got number"), text)
ok, text = pcall(setmetatable, 5, {})
assert(text:find("table expected, got number"), text)
local mt = {__index = {x = 5}}
local t = setmetatable({}, mt)
assert(t.x == 5 and getmetatable(t) == mt and setmetatable(t, nil) == t and getmetatable(t) == nil)
"##);
}

#[test]
fn frozen_libraries_stay_as_they_are() {
    let bench = bench(false);
    let (lua, globals) = (&bench.lua, bench.lua.globals());
    let raw: Table = globals.get("string").unwrap();
    let string = freeze(lua, "string", &raw).unwrap();
    assert_eq!(string, freeze(lua, "string", &raw).unwrap());
    globals.set("string", &string).unwrap();
    let source = r##"
local function fails(text, f, ...)
  local ok, got = pcall(f, ...)
  assert(not ok and got:find(text, 1, true), tostring(got))
end
fails("attempt to change a frozen library (string.find)", function() string.find = nil end)
fails("attempt to change a frozen library (string.new)", function() string.new = 1 end)
fails("attempt to change a frozen library", rawset, string, "find", 1)
fails("attempt to change a frozen library", table.insert, string, 1)
fails("cannot change a protected metatable", setmetatable, string, {})
fails("attempt to change a frozen library", function() getmetatable("").__index = {} end)
fails("attempt to change a frozen library", rawset, getmetatable(""), "__index", {})
fails("attempt to change a frozen library", rawset, getmetatable("").__index, "find", 1)
assert(type(getmetatable(string)) == "string")
assert(rawget(string, "rep") == string.rep and ("x"):rep(2) == "xx" and rawlen(string) == 0)
assert(getmetatable("").__index == string)
local names = {}
local iterate, state = pairs(string)
assert(state == string)
for name, f in pairs(string) do names[#names + 1] = name assert(string[name] == f) end
local sorted = table.concat(names, " ")
table.sort(names)
assert(sorted == table.concat(names, " ") and sorted:find("byte char find", 1, true) and not string.dump)
assert(next(string) == names[1])
assert(rawequal(string, string) and not rawequal(string, getmetatable))
assert("10" + 1 == 11)
"##;
    if let Err(error) = lua.load(source).exec() {
        panic!("{error}");
    }
    raw.set("later", true).unwrap();
    assert!(lua.load("return string.later and ('').later").eval::<bool>().unwrap());
    let rep: Function = raw.get("rep").unwrap();
    assert_eq!(rep.call::<String>(("ab", 2)).unwrap(), "abab");
}

/// The keys and values of many traversals, also of tables that grow on the way, which Lua leaves
/// undefined. Another number means that programs run otherwise than they did.
#[test]
fn order_is_the_same_in_every_run() {
    let bench = bench(false);
    let source = r##"
local out, seed = {}, 7
local function random(n) seed = seed * 48271 % 2147483647 return seed % n + 1 end
local function key() local r = random(4) if r == 1 then return random(30) elseif r == 2 then return "k" .. random(40) elseif r == 3 then return random(20) - 10.5 else return random(2) == 1 end end
for round = 1, 400 do
  local t = {}
  for i = 1, random(60) do t[key()] = i end
  for i = 1, random(30) do t[i] = i end
  for i = 1, random(30) do t[key()] = nil end
  local iterate = round % 2 == 0 and pairs or function(t) return next, t, nil end
  local n = 0
  for k, v in iterate(t) do
    n = n + 1
    out[#out + 1] = tostring(k) .. "=" .. tostring(v)
    if n > 200 then break end
    if n % 3 == 0 then t[key()] = n end
    if n % 5 == 0 then t[key()] = nil end
    if n % 7 == 0 then out[#out + 1] = tostring((next(t))) end
  end
end
return table.concat(out, " ")
"##;
    let text: String = bench.lua.load(source).call(()).unwrap();
    let sum = text.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    assert_eq!((text.len(), sum), (70863, 5789555454050209329));
}
