-- Five philosophers, five forks. Each takes the left fork, then the right one: when all have the
-- left one, nobody can go on, ever. The machine ends with a deadlock report.
local process = require "system.process"
local util = require "system.util"

local SEATS = 5

-- A fork is a mutex of the kernel, by the raw system calls.
local function call(...)
  local ok, result = coroutine.yield("syscall", ...)
  assert(ok, result)
  return result
end

local forks = {}
for i = 1, SEATS do
  forks[i] = call("create_lock", "mutex")
end

local function philosopher(seat)
  local left, right = forks[seat], forks[seat % SEATS + 1]
  for meal = 1, 2 do
    call("lock", left)
    print("philosopher " .. seat .. " has the left fork")
    util.sleep(1)
    call("lock", right)
    print("philosopher " .. seat .. " eats meal " .. meal)
    call("unlock", right)
    call("unlock", left)
  end
end

local seated = {}
for seat = 1, SEATS do
  seated[seat] = process.fork(philosopher, "philosopher" .. seat, seat)
end
for _, pid in ipairs(seated) do
  process.wait(pid)
end
print("all have eaten")
