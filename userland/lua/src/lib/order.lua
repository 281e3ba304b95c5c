-- pairs and next in an order that depends on the keys alone: 1 to n as far as they go without a gap,
-- other numbers ascending, strings by their bytes, false, true, and then what has no order (tables,
-- functions, coroutines), of which there should be one at most.
local std, prim, check, base = ...
local raw = check.raw
local rawget, next, setmetatable, sort = raw.rawget, raw.next, raw.setmetatable, raw.sort
local error, type, select, mathtype = std.error, std.type, std.select, std.math.type
local getmetatable, rawequal, tointeger = std.getmetatable, std.rawequal, std.math.tointeger
local NONE = {}
local frozen, metafields, warn, charge = prim.frozen, prim.metafields, prim.warn, prim.charge
local collect = prim.keys

-- Sorts keys[1..count], all numbers or all strings.
local function arrange(keys, count)
  if count > 8 then
    if count > 32 then charge(count * 8) end
    return sort(keys)
  end
  for i = 2, count do
    local key, j = keys[i], i - 1
    while j > 0 and key < keys[j] do
      keys[j + 1] = keys[j]
      j = j - 1
    end
    keys[j + 1] = key
  end
end

-- Orders keys of several types, or of one that has no order.
local function order(mixed, count, level)
  local numbers, strings, others = {}, {}, {}
  local no, yes
  for i = 1, count do
    local key = mixed[i]
    local kind = type(key)
    if kind == "number" then
      numbers[#numbers + 1] = key
    elseif kind == "string" then
      strings[#strings + 1] = key
    elseif key == false then
      no = true
    elseif kind == "boolean" then
      yes = true
    else
      others[#others + 1] = key
    end
  end
  arrange(numbers, #numbers)
  arrange(strings, #strings)
  local keys = numbers
  for i = 1, #strings do keys[#keys + 1] = strings[i] end
  if no then keys[#keys + 1] = false end
  if yes then keys[#keys + 1] = true end
  if #others > 1 then
    local message = warn()
    if message then error(message, level + 1) end
  end
  for i = 1, #others do keys[#keys + 1] = others[i] end
  return keys
end

-- The keys of a table other than 1 to run, in order, and their number; level is that of errors.
local function snapshot(t, run, level)
  local own, size = collect(t, run)
  if size == 0 then return NONE, 0 end
  if size then
    if size > 8 then arrange(own, size) end
    return own, size
  end
  local key, i = next(t), 1
  while i <= run and key == i do
    key = next(t, i)
    i = i + 1
  end
  if key == nil then return NONE, 0 end
  -- The constructor makes room for a few at once.
  local keys, count = { nil, nil, nil, nil }, 0
  local kind, same = type(key), true
  while key ~= nil do
    local own = type(key)
    if own ~= "number" or key < 1 or key > run or key % 1 ~= 0 then
      count = count + 1
      keys[count] = key
    end
    if own ~= kind then same = false end
    key = next(t, key)
  end
  if count > 1 then
    if same and (kind == "string" or kind == "number") then
      arrange(keys, count)
    else
      keys = order(keys, count, level + 1)
    end
  end
  return keys, count
end

-- The iterators of pairs. A closure pays for each variable that it keeps, which is why there are
-- several. In a table that had no metatable when the loop began, plain indexing is as good as a raw
-- access, and twice as fast.

local function none() end

-- Over keys, of a table without a metatable.
local function listed(t, keys)
  local at = 0
  return function()
    local key, value
    repeat
      at = at + 1
      key = keys[at]
      if key == nil then return nil end
      value = t[key]
    until value ~= nil
    return key, value
  end
end

-- From 1 to the first gap, for which no snapshot is needed, and then the others. Of a table without
-- a metatable, whose length is n.
local function walk(t, n)
  local at, rest = 0, nil
  return function()
    if not rest then
      local i = at + 1
      local value
      if i <= n then value = t[i] else value = rawget(t, i) end
      if value ~= nil then
        at = i
        return i, value
      end
      local keys, count = snapshot(t, at, 2)
      rest = count == 0 and none or listed(t, keys)
    end
    return rest()
  end
end

-- The same for a table with a metatable.
local function guarded(t)
  local at, keys = 0, nil
  return function()
    local key, value
    if not keys then
      key = at + 1
      value = rawget(t, key)
      if value ~= nil then
        at = key
        return key, value
      end
      keys = snapshot(t, at, 2)
      at = 0
    end
    repeat
      at = at + 1
      key = keys[at]
      if key == nil then return nil end
      value = rawget(t, key)
    until value ~= nil
    return key, value
  end
end

function base.pairs(...)
  local t = ...
  local metatable = getmetatable(t)
  if metatable ~= nil and not frozen[t] then
    local own
    if type(t) == "table" then own = metafields(t, "__pairs") end
    if own ~= nil then
      local iterate, state, first = own(t)
      return iterate, state, first
    end
  end
  if type(t) ~= "table" then
    local name = select("#", ...) == 0 and "pairs" or "for iterator"
    local got = select("#", ...) == 0 and "no value" or type(t)
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. got .. ")", 2)
  end
  local source = frozen[t] or t
  if metatable == nil then
    if next(t) == nil then return none, t, nil end
    local n = #t
    if n > 0 and source[1] ~= nil then return walk(t, n), t, nil end
    return listed(t, snapshot(t, 0, 2)), t, nil
  end
  return guarded(source), t, nil
end

-- Where the traversal of a table by next stands. While it goes from 1 to n, `run` is the key given
-- last and `keys` is nil. After that, keys[1..count] are the others, as they were when that began, and
-- `at` is the place of the key given last. A call without a key is served from them if it can be:
-- `head` is where it found the first that is still there, `served` is that key.
local traversals = setmetatable({}, { __mode = "k" })

-- A new snapshot of the keys other than 1 to run; level is that of errors.
local function traversal(t, run, level)
  local keys, count = snapshot(t, run, level + 1)
  local new = { run = run, keys = keys, count = count, at = 0, head = 1 }
  traversals[t] = new
  return new
end

-- The next key of a snapshot that is still there.
local function advance(t, here)
  local keys, at = here.keys, here.at
  while at < here.count do
    at = at + 1
    local value = rawget(t, keys[at])
    if value ~= nil then
      here.at = at
      return keys[at], value
    end
  end
  traversals[t] = nil
  return nil
end

-- The first key. Finding it anew takes a snapshot; so that a loop that empties a table, or asks
-- whether it is empty, doesn't take one each time, an older one serves as long as it has a key left.
local function first(t)
  local value = rawget(t, 1)
  if value ~= nil then return 1, value end
  if next(t) == nil then
    traversals[t] = nil
    return nil
  end
  local here = traversals[t]
  if here and here.keys and here.run == 0 then
    for i = here.head, here.count do
      local key = here.keys[i]
      value = rawget(t, key)
      if value ~= nil then
        here.head, here.served = i, key
        return key, value
      end
    end
  end
  here = traversal(t, 0, 2)
  return advance(t, here)
end

-- The place of a key in a snapshot, or nil.
local function place(here, key)
  local keys, at = here.keys, here.at
  if at > 0 and rawequal(keys[at], key) then return at end
  local places = here.places
  if not places then
    places = {}
    for i = 1, here.count do places[keys[i]] = i end
    here.places = places
  end
  return places[key]
end

local RANK = { number = 1, string = 2, boolean = 3 }

-- How many keys of a snapshot come before one that is not in it.
local function rank(here, key)
  local own = RANK[type(key)]
  if not own then error("invalid key to 'next'", 3) end
  for i = 1, here.count do
    local other = here.keys[i]
    local theirs = RANK[type(other)] or 4
    if theirs > own then return i - 1 end
    if theirs == own then
      if own == 3 then
        if other then return i - 1 end
      elseif key < other then
        return i - 1
      end
    end
  end
  return here.count
end

-- Goes on at a key for which no traversal is under way.
local function locate(t, key)
  local run = 0
  while rawget(t, run + 1) ~= nil do run = run + 1 end
  if mathtype(key) == "integer" and key >= 1 and key < run then
    traversals[t] = { run = key + 1 }
    return key + 1, rawget(t, key + 1)
  end
  local here = traversal(t, run, 2)
  if run == 0 or key ~= run then here.at = place(here, key) or rank(here, key) end
  return advance(t, here)
end

-- Starts a traversal again at the key that it began with.
local function restart(t, key)
  local here = traversal(t, 0, 2)
  local keys = here.keys
  for i = place(here, key) or here.count + 1, 2, -1 do keys[i] = keys[i - 1] end
  if not here.places[key] then here.count = here.count + 1 end
  keys[1], here.at, here.places = key, 1, nil
  return advance(t, here)
end

function base.next(t, key)
  if type(t) ~= "table" then check.mistyped(1, "next", "table", t) end
  t = frozen[t] or t
  if key == nil then return first(t) end
  local here = traversals[t]
  local kind = mathtype(key)
  if kind == "float" then key = tointeger(key) or key end
  if kind and (key == 1 or here and not here.keys and here.run == key) then
    local value = rawget(t, key + 1)
    if value ~= nil then
      if here and not here.keys then here.run = key + 1 else traversals[t] = { run = key + 1 } end
      return key + 1, value
    end
    return advance(t, traversal(t, key, 2))
  end
  if here and here.keys then
    if here.served ~= nil and rawequal(here.served, key) then return restart(t, key) end
    local at = place(here, key)
    if at then
      here.at = at
      return advance(t, here)
    end
  end
  return locate(t, key)
end
