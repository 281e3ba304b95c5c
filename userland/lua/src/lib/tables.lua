-- The table library: every loop that could be longer than the memory is Lua, so that it counts
-- instructions and what it calls back may park.
local std, prim, check, base = ...
local error, type, select, pcall = std.error, std.type, std.select, std.pcall
local getmetatable, mathtype = std.getmetatable, std.math.type
local concat, sort, unpack = std.table.concat, std.table.sort, std.table.unpack
local frozen, charge, metafields = prim.frozen, prim.charge, prim.metafields
local finish, integer, length, mistyped = check.finish, check.integer, check.length, check.mistyped
local lib, LARGEST = base.table, std.math.maxinteger

-- Raises the error of a change to a frozen library where the program, not this file, makes it.
local function refuse()
  error("attempt to change a frozen library", 3)
end

-- Whether a value without a table's type can stand for a table with these metamethods.
local function tablelike(value, first, second)
  if type(value) ~= "userdata" then return false end
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable[first] ~= nil and (not second or metatable[second] ~= nil)
end

function lib.insert(t, ...)
  if type(t) == "table" and getmetatable(t) == nil and select("#", ...) == 1 then
    t[#t + 1] = (...)
    return
  end
  if type(t) ~= "table" and not tablelike(t, "__index", "__newindex") then
    mistyped(1, "insert", "table", t)
  end
  if frozen[t] then refuse() end
  local count = select("#", ...)
  local last = length(t) + 1
  if count == 1 then
    t[last] = (...)
    return
  end
  if count ~= 2 then error("wrong number of arguments to 'insert'", 2) end
  local at, value = ...
  at = integer(at, 2, "insert")
  if at < 1 or at > last then error("bad argument #2 to 'insert' (position out of bounds)", 2) end
  for i = last, at + 1, -1 do t[i] = t[i - 1] end
  t[at] = value
end

function lib.remove(t, ...)
  if type(t) ~= "table" and not tablelike(t, "__index", "__newindex") then
    mistyped(1, "remove", "table", t)
  end
  if frozen[t] then refuse() end
  local size = length(t)
  local at = size
  if select("#", ...) > 0 then
    at = integer((...), 2, "remove", size)
    if at ~= size and (at < 1 or at - 1 > size) then
      error("bad argument #2 to 'remove' (position out of bounds)", 2)
    end
  end
  local value = t[at]
  while at < size do
    t[at] = t[at + 1]
    at = at + 1
  end
  t[at] = nil
  return value
end

function lib.move(from, first, last, to, into)
  if type(from) ~= "table" and not tablelike(from, "__index") then mistyped(1, "move", "table", from) end
  first, last = integer(first, 2, "move"), integer(last, 3, "move")
  to = integer(to, 4, "move")
  if into == nil then into = from end
  if type(into) ~= "table" and not tablelike(into, "__newindex") then mistyped(5, "move", "table", into) end
  if frozen[into] then refuse() end
  if last < first then return into end
  if not (first > 0 or last < LARGEST + first) then
    error("bad argument #3 to 'move' (too many elements to move)", 2)
  end
  if to > LARGEST - (last - first + 1) + 1 then
    error("bad argument #4 to 'move' (destination wrap around)", 2)
  end
  local shift = to - first
  if to > last or to <= first or into ~= from then
    for i = first, last do into[i + shift] = from[i] end
  else
    for i = last, first, -1 do into[i + shift] = from[i] end
  end
  return into
end

function lib.concat(t, separator, first, last)
  if first == nil and last == nil and (separator == nil or type(separator) == "string")
    and type(t) == "table" and getmetatable(t) == nil
  then
    if #t > 32 then charge(#t * 8) end
    -- What fails is done again below, for the error.
    local ok, text = pcall(concat, t, separator)
    if ok then return text end
  end
  if type(t) ~= "table" and not tablelike(t, "__index") then mistyped(1, "concat", "table", t) end
  separator = separator == nil and "" or check.string(separator, 2, "concat")
  first = integer(first, 3, "concat", 1)
  last = last == nil and length(t) or integer(last, 4, "concat")
  if first > last then return "" end
  local parts, count = {}, 0
  for i = first, last do
    local part = t[i]
    local kind = type(part)
    if kind ~= "string" and kind ~= "number" then
      error("invalid value (at index " .. i .. ") in table for 'concat'", 2)
    end
    count = count + 1
    parts[count] = part
  end
  return finish("concat", pcall(concat, parts, separator))
end

-- The most values that a call can return; Lua's own stack has no room for more.
local RESULTS = 1000000

function lib.unpack(t, first, last)
  first = integer(first, 2, "unpack", 1)
  if last == nil then last = #t else last = integer(last, 3, "unpack") end
  if first > last then return end
  local count = last - first
  if count < 0 or count >= RESULTS then error("too many results to unpack", 2) end
  if count < 4 and type(t) == "table" then
    if count == 0 then return t[first] end
    if count == 1 then return t[first], t[last] end
    if count == 2 then return t[first], t[first + 1], t[last] end
    return t[first], t[first + 1], t[first + 2], t[last]
  end
  if type(t) == "table" and getmetatable(t) == nil then
    charge(count)
    return finish("unpack", pcall(unpack, t, first, last))
  end
  -- Here, so that an __index may park.
  local values = {}
  for i = 0, count do values[i + 1] = t[first + i] end
  return finish("unpack", pcall(unpack, values, 1, count + 1))
end

-- How an error names the type of a value.
local function kindof(value)
  if type(value) == "table" and getmetatable(value) ~= nil then
    local name = metafields(value, "__name")
    if type(name) == "string" then return name end
  end
  return type(value)
end

-- What `a < b` means, with the error that Lua gives inside table.sort.
local function less(a, b)
  local ka, kb = type(a), type(b)
  if ka == kb and (ka == "number" or ka == "string") then return a < b end
  local defined = ka == "table" and metafields(a, "__lt")
  if not defined then defined = kb == "table" and metafields(b, "__lt") end
  if not defined and ka ~= "userdata" and kb ~= "userdata" then
    local na, nb = kindof(a), kindof(b)
    if na == nb then error("attempt to compare two " .. na .. " values", 0) end
    error("attempt to compare " .. na .. " with " .. nb, 0)
  end
  return a < b
end

-- Sorts items[1..n] by merging runs, stably: at most n log2 n comparisons.
local function merge(items, n, before)
  local RUN = 8
  for start = 1, n, RUN do
    local stop = start + RUN - 1
    if stop > n then stop = n end
    for i = start + 1, stop do
      local item, j = items[i], i - 1
      while j >= start and before(item, items[j]) do
        items[j + 1] = items[j]
        j = j - 1
      end
      items[j + 1] = item
    end
  end
  local from, into, width = items, {}, RUN
  while width < n do
    for start = 1, n, 2 * width do
      local middle, stop = start + width, start + 2 * width
      if middle > n + 1 then middle = n + 1 end
      if stop > n + 1 then stop = n + 1 end
      local left, right = start, middle
      for i = start, stop - 1 do
        if left < middle and (right >= stop or not before(from[right], from[left])) then
          into[i] = from[left]
          left = left + 1
        else
          into[i] = from[right]
          right = right + 1
        end
      end
    end
    from, into, width = into, from, 2 * width
  end
  return from
end

-- Whether all of items[1..n] are integers, or all strings: then equal ones can't be told apart, and
-- Lua's own sort gives one result only.
local function plain(items, n)
  local first = items[1]
  if type(first) == "string" then
    for i = 2, n do
      if type(items[i]) ~= "string" then return false end
    end
    return true
  end
  for i = 1, n do
    if mathtype(items[i]) ~= "integer" then return false end
  end
  return true
end

function lib.sort(t, before)
  if type(t) ~= "table" and not tablelike(t, "__index", "__newindex") then mistyped(1, "sort", "table", t) end
  if frozen[t] then refuse() end
  local n = length(t)
  if n < 2 then return end
  if n >= 2147483647 then error("bad argument #1 to 'sort' (array too big)", 2) end
  if before ~= nil and type(before) ~= "function" then mistyped(2, "sort", "function", before) end
  local items = {}
  for i = 1, n do items[i] = t[i] end
  local sorted
  if not before and plain(items, n) then
    -- About 16 comparisons of Lua's sort take the time that charge itself takes.
    if n > 32 then charge(n * 8) end
    sort(items)
    sorted = items
  else
    sorted = merge(items, n, before or less)
  end
  if before then
    for i = 2, n do
      if before(sorted[i], sorted[i - 1]) then error("invalid order function for sorting", 2) end
    end
  end
  for i = 1, n do t[i] = sorted[i] end
end
