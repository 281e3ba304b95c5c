-- pairs and next in an order that depends on the keys alone: 1 to n as far as they go without a gap,
-- other numbers ascending, strings by their bytes, false, true, and then what has no order (tables,
-- functions, coroutines), of which there should be one at most.
local base, prim, check = ...
local raw = check.raw
local rawget, next, setmetatable, sort = raw.rawget, raw.next, raw.setmetatable, raw.sort
local error, type, select, mathtype = base.error, base.type, base.select, base.math.type
local getmetatable, rawequal, tointeger = base.getmetatable, base.rawequal, base.math.tointeger
local frozen, metafields, warn, charge = prim.frozen, prim.metafields, prim.warn, prim.charge

-- The keys of a table other than 1 to run, in order, and their number; level is that of errors.
local function snapshot(t, run, level)
  local key = next(t)
  local keys, count = {}, 0
  local strings, booleans, others
  while key ~= nil do
    local kind = type(key)
    if kind == "number" then
      if not (mathtype(key) == "integer" and key >= 1 and key <= run) then
        count = count + 1
        keys[count] = key
      end
    elseif kind == "string" then
      if not strings then strings = {} end
      strings[#strings + 1] = key
    elseif kind == "boolean" then
      if not booleans then booleans = {} end
      booleans[key] = true
    else
      if not others then others = {} end
      others[#others + 1] = key
    end
    key = next(t, key)
  end
  if count > 1 then
    if count > 32 then charge(count * 8) end
    sort(keys)
  end
  if strings then
    local n = #strings
    if n > 1 then
      if n > 32 then charge(n * 8) end
      sort(strings)
    end
    if count == 0 then
      keys, count = strings, n
    else
      for i = 1, n do keys[count + i] = strings[i] end
      count = count + n
    end
  end
  if booleans then
    if booleans[false] then count = count + 1; keys[count] = false end
    if booleans[true] then count = count + 1; keys[count] = true end
  end
  if others then
    local n = #others
    if n > 1 then
      local message = warn()
      if message then error(message, level + 1) end
    end
    for i = 1, n do keys[count + i] = others[i] end
    count = count + n
  end
  return keys, count
end

function base.pairs(...)
  local t = ...
  if getmetatable(t) ~= nil and not frozen[t] then
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
  -- Up to the first gap no snapshot is needed: at is then the last key given.
  local run, keys, at, count = true, nil, 0, 0
  return function()
    if run then
      local i = at + 1
      local value = rawget(source, i)
      if value ~= nil then
        at = i
        return i, value
      end
      run = false
      keys, count = snapshot(source, at, 2)
      at = 0
    end
    while at < count do
      at = at + 1
      local key = keys[at]
      local value = rawget(source, key)
      if value ~= nil then return key, value end
    end
    return nil
  end, t, nil
end

-- Where the traversal of a table by next stands. While it goes from 1 to n, `run` is the key given
-- last and `keys` is nil. After that, keys[1..count] are the others, as they were when that began, and
-- `at` is the place of the key given last. A call without a key is served from them if it can be:
-- `head` is where it found the first that is still there, `served` is that key.
local traversals = setmetatable({}, { __mode = "k" })

-- A new snapshot of the keys other than 1 to run; level is that of errors.
local function traversal(t, run, level)
  local keys, count = snapshot(t, run, level + 1)
  local new = { run = run, keys = keys or {}, count = count, at = 0, head = 1 }
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
