-- Puts the pieces together: what needs system calls, and `require`.
local k, base, system, coroutines = ...

local sure, freeze = system.sure, k.freeze
local pcall, error, type, concat, pairs = base.pcall, error, type, table.concat, pairs
local tointeger = math.tointeger
local select, tostring = select, base.tostring

function base.print(...)
  local parts = { ... }
  for i = 1, select("#", ...) do
    parts[i] = tostring(parts[i])
  end
  k.log(concat(parts, "\t"))
end

local math = base.math

local function integer(index, value)
  local whole = type(value) == "number" and tointeger(value)
  if not whole then
    local what = type(value) == "number" and "number has no integer representation"
      or "number expected, got " .. type(value)
    error("bad argument #" .. index .. " to 'random' (" .. what .. ")", 3)
  end
  return whole
end

-- Draws from the process's own stream; the kernel seeds it.
function math.random(low, high, ...)
  local count = (low ~= nil or high ~= nil) and (high ~= nil and 2 or 1) or 0
  if select("#", ...) > 0 then
    error("wrong number of arguments", 2)
  end
  local bits = k.random()
  if count == 0 then
    return (bits >> 11) * 0x1p-53
  end
  if count == 1 then
    low, high = 1, low
  end
  local from, to = integer(1, low), integer(count, high)
  if count == 1 and to == 0 then
    return bits
  elseif from > to then
    error("bad argument #" .. count .. " to 'random' (interval is empty)", 2)
  end
  return k.scale(bits, from, to)
end

-- The machine's seed decides; a program's own would make the streams depend on one another.
function math.randomseed() end

base.os = {
  clock = k.now,
  time = function(date)
    if date == nil then
      return k.nanos() // 1000000000
    elseif type(date) ~= "table" then
      error("bad argument #1 (expected table or nil, got " .. type(date) .. ")", 2)
    end
    return sure(k.time(date))
  end,
  date = function(format, time)
    if time == nil then
      time = k.nanos() // 1000000000
    end
    return sure(k.date(format, time))
  end,
  difftime = function(later, earlier) return later - earlier end,
}

base.coroutine = coroutines

-- All that programs share is frozen, and has a name by which a fork finds it again.
local names = {}
local modules = {
  ["system.ipc"] = system.ipc, ["system.process"] = system.process, ["system.util"] = system.util,
}
system.ipc.signal = freeze("signal", system.ipc.signal)
names["system.ipc.signal"] = system.ipc.signal

local function share(path, lib)
  for name, value in pairs(lib) do
    if type(value) == "function" or type(value) == "table" then
      local full = path .. name
      if names[full] == nil then
        names[full] = value
      end
    end
  end
end

for name, module in pairs(modules) do
  share(name .. ".", module)
  modules[name] = freeze(name, module)
  names[name] = modules[name]
end
for _, name in pairs({ "string", "table", "math", "utf8", "coroutine", "os" }) do
  share(name .. ".", base[name])
  base[name] = freeze(name, base[name])
  names[name] = base[name]
end

local LOADING = {}

function base.require(name)
  -- Looked up without a call: its frame would stay with the coroutine.
  if modules[name] then
    return modules[name]
  elseif type(name) ~= "string" then
    error("bad argument #1 (expected string, got " .. type(name) .. ")", 2)
  elseif name == "system" or name:sub(1, 7) == "system." then
    error("no module '" .. name .. "'; there are system.ipc, system.process and system.util", 2)
  end
  local loaded = k.shelf("loaded")
  local module = loaded[name]
  if module == LOADING then
    error("module '" .. name .. "' requires itself", 2)
  elseif module ~= nil then
    return module
  end
  local chunk, text = k.module(name)
  if not chunk then
    error(text, 2)
  end
  loaded[name] = LOADING
  local ok, result = pcall(chunk, k.globals(), name)
  if not ok then
    loaded[name] = nil
    error(result, 0)
  end
  if result == nil then
    result = true
  end
  loaded[name] = result
  return result
end

share("", base)
local values = {}
for name, value in pairs(names) do
  -- One value under several names goes by the first of them.
  if values[value] == nil or name < values[value] then
    values[value] = name
  end
end

return {
  handle = system.handle, run_hooks = system.run_hooks,
  names = names, values = values,
  globals = { __index = base, __metatable = false },
}
