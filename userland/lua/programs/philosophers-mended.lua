-- Five philosophers who mend the deadlock: each takes the fork with the lower number first, so that
-- they can never wait for one another in a circle.
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
  local other = seat % SEATS + 1
  local first, second = forks[math.min(seat, other)], forks[math.max(seat, other)]
  for meal = 1, 2 do
    call("lock", first)
    print("philosopher " .. seat .. " has the first fork")
    util.sleep(1)
    call("lock", second)
    print("philosopher " .. seat .. " eats meal " .. meal)
    call("unlock", second)
    call("unlock", first)
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
