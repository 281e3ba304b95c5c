-- The coroutine library of programs. A system call that parks in a program's coroutine yields
-- nothing, as the hook does, through every resume up to the process's body; a program's own yield
-- carries the mark USER in front, so that the two are never mixed.
local trap, caught = ...

local resume, raw_yield, create = coroutine.resume, coroutine.yield, coroutine.create
local running, status, close = coroutine.running, coroutine.status, coroutine.close
local isyieldable = coroutine.isyieldable
local error, type, select = error, type, select
local setmetatable = setmetatable

local USER = {}
-- The coroutines that programs made; all others are main ones.
local made = setmetatable({}, { __mode = "k" })
-- Which coroutine a parked one waits for, so that all of a dying process's are closed.
local inner = setmetatable({}, { __mode = "k" })

local settle

local function pass(co, outer)
  inner[outer] = nil
  return settle(co, resume(co))
end

settle = function(co, ok, ...)
  if not ok then
    return false, caught((...))
  end
  local tag = ...
  if tag == USER then
    return true, select(2, ...)
  elseif status(co) ~= "suspended" then
    return true, ...
  end
  local outer = running()
  inner[outer] = co
  raw_yield()
  return pass(co, outer)
end

local function check(co, index)
  if type(co) ~= "thread" then
    error("bad argument #" .. index .. " (expected coroutine, got " .. type(co) .. ")", 3)
  end
end

local library = {}

function library.create(fn)
  if type(fn) ~= "function" then
    error("bad argument #1 (expected function, got " .. type(fn) .. ")", 2)
  end
  local co = create(fn)
  made[co] = true
  return co
end

function library.resume(co, ...)
  check(co, 1)
  return settle(co, resume(co, ...))
end

local function unwrap(co, ok, ...)
  if ok then
    return ...
  end
  local text = ...
  if status(co) ~= "dead" then
    error(text, 0)
  end
  local closed, cause = close(co)
  if not closed then
    text = caught(cause)
  end
  -- The wrapper ended in a tail call, so that the next level is its caller.
  if type(text) == "string" then
    error(text, 2)
  end
  error(text, 0)
end

function library.wrap(fn)
  local co = library.create(fn)
  return function(...)
    return unwrap(co, settle(co, resume(co, ...)))
  end
end

function library.close(co)
  check(co, 1)
  local ok, cause = close(co)
  if not ok then
    return false, caught(cause)
  end
  return true
end

library["yield"] = function(...)
  if made[running()] then
    return raw_yield(USER, ...)
  end
  return trap(...)
end

function library.running()
  local co = running()
  return co, not made[co]
end

function library.status(co)
  check(co, 1)
  return status(co)
end

function library.isyieldable(co)
  if co ~= nil then
    check(co, 1)
    return isyieldable(co)
  end
  return isyieldable()
end

-- Closes a process's main coroutine and those that it waited in, innermost first; of a doomed
-- process only those that did not fail.
local function close_all(co, doomed)
  local child = inner[co]
  if child then
    close_all(child, doomed)
  end
  if status(co) == "suspended" or (status(co) == "dead" and not doomed) then
    close(co)
  end
end

return library, close_all
