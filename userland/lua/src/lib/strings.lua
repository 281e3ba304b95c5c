-- The string library on top of the matcher in Rust. Functions given to gsub and gmatch's loops are
-- called from here, so that they may park.
local std, prim, check, base = ...
local error, type, select, pcall = std.error, std.type, std.select, std.pcall
local rawtostring, charge = std.tostring, prim.charge
local tointeger = std.math.tointeger
local search, replace = prim.search, prim.replace
local str, integer, finish, display = check.string, check.integer, check.finish, check.display
local concat, pack, unpack = std.table.concat, std.table.pack, std.table.unpack
local lib, own = base.string, std.string
local find, sub, format, byte, rep = own.find, own.sub, own.format, own.byte, own.rep
local packed, unpacked = own.pack, own.unpack

-- Raises the message of a faulty pattern in the program.
local function fault(message, level)
  if message == "not enough memory" then error(message, 0) end
  error(message, level + 1)
end

-- The offset in a string of length n at which a search starts.
local function offset(init, n)
  if init > 0 then return init - 1 end
  if init == 0 or init < -n then return 0 end
  return n + init
end

-- How to search, see strings.rs.
local ANCHOR, WHOLE, FIRST = 2, 4, 8
local MATCH = ANCHOR | WHOLE

-- Searches again where search could not end, for the error.
local function fail(level, ...)
  fault(prim.fault(...) or "stack overflow", level + 1)
end

lib.find, lib.match = prim.find, prim.match

function lib.gmatch(s, pattern, init)
  if type(s) ~= "string" then s = str(s, 1, "gmatch") end
  if type(pattern) ~= "string" then pattern = str(pattern, 2, "gmatch") end
  local from, except = 0, nil
  if init ~= nil then from = offset(integer(init, 3, "gmatch"), #s) end
  local function advance(start, stop, ...)
    if start then
      from, except = stop, stop
      return ...
    end
    if start == nil then
      from = #s + 1
      return nil
    end
    fail(2, s, pattern, from, except, WHOLE)
  end
  return function()
    if from > #s then return nil end
    return advance(search(s, pattern, from, except, WHOLE))
  end
end

-- What a match of s[start + 1 .. stop] is replaced with.
local function replacement(kind, by, s, start, stop, ...)
  local value
  if kind == "table" then value = by[(...)] else value = by(...) end
  if type(value) == "string" then return value end
  if not value then return sub(s, start + 1, stop) end
  if type(value) == "number" then return rawtostring(value) end
  error("invalid replacement value (a " .. type(value) .. ")", 5)
end

-- gsub with a table or a function.
local function substitute(s, pattern, kind, by, most)
  local anchored = byte(pattern) == 94
  local how = kind == "table" and MATCH | FIRST or MATCH
  local parts, used, count, from, except = {}, 0, 0, 0, nil
  local function take(start, stop, ...)
    if start == nil then return false end
    if not start then fail(4, s, pattern, from, except, how) end
    if start > from then
      used = used + 1
      parts[used] = sub(s, from + 1, start)
    end
    local text = replacement(kind, by, s, start, stop, ...)
    used, count = used + 1, count + 1
    parts[used] = text
    from, except = stop, stop
    return true
  end
  while count < most do
    local more = take(search(s, pattern, from, except, how))
    if not more or anchored then break end
  end
  if count == 0 then return s, 0 end
  parts[used + 1] = sub(s, from + 1)
  return concat(parts), count
end

function lib.gsub(s, pattern, by, most)
  if type(s) ~= "string" then s = str(s, 1, "gsub") end
  if type(pattern) ~= "string" then pattern = str(pattern, 2, "gsub") end
  local kind = type(by)
  if most ~= nil then most = integer(most, 4, "gsub") else most = #s + 1 end
  if kind == "number" then by, kind = rawtostring(by), "string" end
  if kind == "string" then
    local text, count = replace(s, pattern, by, most)
    if not text then fault(count, 2) end
    return text, count
  end
  if kind ~= "table" and kind ~= "function" then check.mistyped(3, "gsub", "string/function/table", by) end
  local text, count = substitute(s, pattern, kind, by, most)
  return text, count
end

-- Replaces in a format its %p, which would show addresses, by %s, and in the arguments what %s and
-- %p show by text.
local function prepare(text, args)
  local from, n = 1, 0
  while true do
    local start, stop, kind = find(text, "%%[-+ #0-9.]*(.)", from)
    if not start then return text end
    if kind ~= "%" or stop > start + 1 then
      n = n + 1
      local value = args[n]
      if kind == "s" and n <= args.n then
        args[n] = display(value, 3)
      elseif kind == "p" and n <= args.n then
        local what = type(value)
        if what == "string" then
          error("bad argument #" .. n + 1 .. " to 'format' (%p of a string is not available here)", 3)
        elseif what == "nil" or what == "boolean" or what == "number" then
          args[n] = "(null)"
        else
          args[n] = format("0x%08x", check.number(value))
        end
        text = sub(text, 1, stop - 1) .. "s" .. sub(text, stop + 1)
      end
    end
    from = stop + 1
  end
end

local PLAIN_KINDS = { string = true, number = true }

function lib.format(text, ...)
  if type(text) ~= "string" then text = str(text, 1, "format") end
  local count = select("#", ...)
  if count < 3 and not find(text, "p", 1, true) then
    local one, two = ...
    if (count < 1 or PLAIN_KINDS[type(one)]) and (count < 2 or PLAIN_KINDS[type(two)]) then
      return finish("format", pcall(format, text, ...))
    end
  end
  local args = pack(...)
  local simple = not find(text, "p", 1, true)
  for i = 1, args.n do
    local kind = type(args[i])
    if kind ~= "string" and kind ~= "number" then simple = false end
  end
  if simple then return finish("format", pcall(format, text, ...)) end
  text = prepare(text, args)
  return finish("format", pcall(format, text, unpack(args, 1, args.n)))
end

-- The longest string that rep may make; the memory limit of the state is lower.
local LONGEST = 0x7fffffff

function lib.rep(s, n, separator)
  if type(s) ~= "string" then s = str(s, 1, "rep") end
  n = integer(n, 2, "rep")
  separator = separator == nil and "" or str(separator, 3, "rep")
  local size = #s + #separator
  if n <= 0 or size == 0 then return "" end
  if n > LONGEST // size then error("resulting string too large", 2) end
  if n * size > 256 then charge(n + n * size // 32) end
  return rep(s, n, separator)
end

-- A function whose time grows with the string that it is given, charged for it. Given a string it
-- raises no error but that of memory.
local function charged(name)
  local original = own[name]
  lib[name] = function(s, ...)
    if type(s) == "string" then
      if #s > 256 then charge(#s // 4) end
      return original(s)
    end
    return finish(name, pcall(original, s, ...))
  end
end

charged("lower")
charged("upper")
charged("reverse")

local packsize = own.packsize

function lib.packsize(form, ...)
  if type(form) == "string" and #form > 256 then charge(#form) end
  return finish("packsize", pcall(packsize, form, ...))
end

-- Charges for the bytes first to last of a string, if they are many.
local function charge_span(s, first, last)
  if type(s) ~= "string" or #s <= 256 then return end
  first, last = tointeger(first) or 1, tointeger(last) or 1
  if first < 0 then first = first + #s + 1 end
  if last < 0 then last = last + #s + 1 end
  if last - first > 64 then charge(last - first > #s and #s or last - first) end
end

function lib.byte(s, first, last)
  if last then charge_span(s, first, last) end
  return finish("byte", pcall(byte, s, first, last))
end

local codepoint, len, place = std.utf8.codepoint, std.utf8.len, std.utf8.offset

function base.utf8.codepoint(s, first, last, ...)
  if last then charge_span(s, first, last) end
  return finish("codepoint", pcall(codepoint, s, first, last, ...))
end

function base.utf8.len(s, first, last, ...)
  charge_span(s, first or 1, last or -1)
  return finish("len", pcall(len, s, first, last, ...))
end

-- Charges for the way from one place to another, which is known only now.
local function placed(s, from, ok, ...)
  if ok and type(s) == "string" and #s > 256 then
    local to = ...
    charge_span(s, 1, to and (to > from and to - from or from - to) or #s)
  end
  return finish("offset", ok, ...)
end

function base.utf8.offset(s, n, from)
  local start = tointeger(from)
  if not start then start = type(n) == "number" and n > 0 and 1 or type(s) == "string" and #s + 1 or 1 end
  if start < 0 and type(s) == "string" then start = start + #s + 1 end
  return placed(s, start, pcall(place, s, n, from))
end

function lib.unpack(form, s, ...)
  if type(form) == "string" and #form > 256 then charge(#form) end
  return finish("unpack", pcall(unpacked, form, s, ...))
end

function lib.pack(form, ...)
  if type(form) == "string" then
    if #form > 256 then charge(#form) end
    -- A fixed size is padded byte by byte, whatever the length of the string.
    local from = 1
    while true do
      local _, stop, size = find(form, "c(%d%d%d+)", from)
      if not stop then break end
      charge(integer(size, 1, "pack") // 4)
      from = stop + 1
    end
  end
  return finish("pack", pcall(packed, form, ...))
end

-- Bytecode could break the virtual machine; there is no way to load it, so that none is made.
lib.dump = nil
