-- A first program: who it is, how time passes, an event to itself.
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"

local who = ... or "world"
print("hello, " .. who)
print("I am process " .. process.getpid() .. ", my parent is " .. process.getppid())
print("my user is " .. process.getuser())

-- Time is virtual: this sleep takes no time on the host.
util.sleep(2.5)
print("after a sleep it is " .. util.now())

-- Computing uses the CPU, sleeping does not.
process.compute(0.25)
print("I used the CPU for " .. process.clock() .. " seconds")

-- An event is a name with data, here to oneself.
ipc.sendEvent(process.getpid(), "note", { text = "remember me", times = 2 })
local name, note = ipc.receiveEvent()
print("an event: " .. name, note.text, note.times)

-- A timer is an event from the kernel.
util.timer(1)
print("the next event: " .. util.pullEvent())

-- A child has its own variables, copied at the fork.
local count = 1
local child = process.fork(function()
  count = count + 1
  print("the child counts to " .. count)
  return count
end, "child")
print("the child returned " .. process.wait(child).value .. ", mine is still " .. count)
