-- A clean shutdown: SIGTERM is handled, SIGKILL is what remains for those who won't go.
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"

local SIGTERM, SIGKILL = ipc.signal.SIGTERM, ipc.signal.SIGKILL

local function polite()
  local running = true
  process.atexit(function() print("polite: the exit hook closes the books") end)
  ipc.sigaction(SIGTERM, function(signal)
    print("polite: signal " .. signal .. ", finishing what I began")
    running = false
  end)
  local jobs = 0
  while running do
    util.sleep(0.4)
    jobs = jobs + 1
    print("polite: job " .. jobs .. " done")
  end
  return jobs
end

local function stubborn()
  ipc.sigaction(SIGTERM, function() print("stubborn: I stay") end)
  while true do
    util.sleep(10)
  end
end

local function plain()
  process.atexit(function() print("plain: even an unhandled signal runs my hook") end)
  util.sleep(100)
end

local function stop(name, pid)
  print("main: asks " .. name .. " to end")
  ipc.kill(pid, SIGTERM)
  local exit = process.wait(pid, 1)
  if not exit then
    print("main: " .. name .. " gets SIGKILL")
    ipc.kill(pid, SIGKILL)
    exit = process.wait(pid)
  end
  if exit.signal then
    print("main: " .. name .. " ended by signal " .. exit.signal)
  else
    print("main: " .. name .. " returned " .. tostring(exit.value))
  end
end

local children = {
  { "polite", process.fork(polite, "polite") },
  { "stubborn", process.fork(stubborn, "stubborn") },
  { "plain", process.fork(plain, "plain") },
}
util.sleep(1)
for _, child in ipairs(children) do
  stop(table.unpack(child))
end
print("main: all are gone at " .. util.now())
