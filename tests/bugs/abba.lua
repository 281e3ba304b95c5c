-- Two processes take two mutexes in opposite order. Each may hold the one that the other wants.
-- Mended: both take them in the same order.
local process = require "system.process"
local mended = ... == "mended"

local function call(...)
  local ok, result = coroutine.yield("syscall", ...)
  assert(ok, result)
  return result
end

local a, b = call("create_lock", "mutex"), call("create_lock", "mutex")

local function takes(first, second)
  call("lock", first)
  call("lock", second)
  call("unlock", second)
  call("unlock", first)
end

local one = process.fork(takes, "one", a, b)
local two = process.fork(takes, "two", mended and a or b, mended and b or a)
process.wait(one)
process.wait(two)
