use super::tests::run;

#[test]
fn sort_sorts() {
    run(r##"
local seed = 1
local function random(n) seed = seed * 48271 % 2147483647 return seed % n end
for round = 1, 60 do
  local t, n = {}, random(300)
  for i = 1, n do t[i] = random(50) end
  local s = table.move(t, 1, n, 1, {})
  local byfirst = {}
  for i = 1, n do byfirst[i] = {t[i], i} end
  table.sort(t)
  table.sort(s, function(a, b) return a > b end)
  table.sort(byfirst, function(a, b) return a[1] < b[1] end)
  for i = 2, n do
    assert(t[i - 1] <= t[i] and s[i - 1] >= s[i])
    local a, b = byfirst[i - 1], byfirst[i]
    assert(a[1] < b[1] or a[1] == b[1] and a[2] < b[2])
  end
end
local mixed = {2.5, 1, 2, -0.0, 0, 1.0}
table.sort(mixed)
assert(table.concat(mixed, " ") == "-0.0 0 1 1.0 2 2.5")
local words = {"b", "a", "\0", "B", "aa", "\255"}
table.sort(words)
assert(table.concat(words, " ") == "\0 B a aa b \255")
local low = setmetatable({1}, {__lt = function(a, b) return a[1] < b[1] end})
local high = setmetatable({2}, getmetatable(low))
local objects = {high, low}
table.sort(objects)
assert(objects[1] == low)
local function message(...) return select(2, pcall(table.sort, ...)) end
assert(message({{}, {}}) == "attempt to compare two table values")
assert(message({1, "x"}):find("attempt to compare %a+ with %a+"))
assert(message({1, {}, 3}):find("attempt to compare %a+ with %a+"))
local same = {}
for i = 1, 100 do same[i] = 1 end
assert(message(same, function() return true end):find("invalid order function for sorting"))
local calls = 0
local many = {}
for i = 1, 1024 do many[i] = (i * 7919) % 1024 end
table.sort(many, function(a, b) calls = calls + 1 return a < b end)
assert(calls < 1024 * 13, calls)
"##);
}

#[test]
fn table_functions_do_as_lua_does() {
    run(r##"
local t = {1, 2, 3}
table.insert(t, 4) table.insert(t, 1, 0) table.insert(t, 6, 5)
assert(table.concat(t, " ") == "0 1 2 3 4 5")
assert(table.remove(t) == 5 and table.remove(t, 1) == 0 and table.remove(t, #t + 1) == nil)
assert(table.concat(t, " ") == "1 2 3 4")
assert(table.remove({}) == nil and table.remove({}, 0) == nil)
assert(table.concat(table.move(t, 2, 4, 1), " ") == "2 3 4 4")
assert(table.concat(table.move({1, 2, 3}, 1, 3, 2), " ") == "1 1 2 3")
assert(table.concat({1, 2.5, "x"}, ", ", 2, 3) == "2.5, x" and table.concat({}, "x") == "")
assert(select("#", table.unpack({}, 1, 7)) == 7 and select("#", table.unpack({1, 2, 3, 4})) == 4)
assert(select("#", table.unpack({}, math.mininteger, math.mininteger + 5)) == 6)
assert(not pcall(table.unpack, {}, math.mininteger, math.maxinteger))
local log = {}
local proxy = setmetatable({}, {__len = function() return 2 end,
  __index = function(_, k) return k * 10 end, __newindex = function(_, k, v) log[#log + 1] = k .. "=" .. tostring(v) end})
table.insert(proxy, 1, 5)
assert(table.concat(log, " ") == "3=20 2=10 1=5")
assert(table.concat(proxy, " ") == "10 20")
"##);
}
