-- Three philosophers take the left fork, then the right one. When all have the left one, nobody goes
-- on.
-- Mended: the fork of the lower number comes first.
local process = require "system.process"
local mended = ... == "mended"
local SEATS = 3

local function call(...)
  local ok, result = coroutine.yield("syscall", ...)
  assert(ok, result)
  return result
end

local forks = {}
for seat = 1, SEATS do forks[seat] = call("create_lock", "mutex") end

local function philosopher(left, right)
  call("lock", left)
  call("lock", right)
  call("unlock", right)
  call("unlock", left)
end

local seated = {}
for seat = 1, SEATS do
  local left, right = seat, seat % SEATS + 1
  if mended and right < left then left, right = right, left end
  seated[seat] = process.fork(philosopher, "philosopher" .. seat, forks[left], forks[right])
end
for _, pid in ipairs(seated) do process.wait(pid) end
