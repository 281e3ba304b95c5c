-- A waiter looks whether it is time, and if not waits for a condition. The other one's notification
-- may come in between, and then the waiter waits for ever.
-- Mended: the mutex is held from the look to the wait, and around the change and its notification.
local ipc = require "system.ipc"
local process = require "system.process"
local mended = ... == "mended"

local function call(...)
  local ok, result = coroutine.yield("syscall", ...)
  assert(ok, result)
  return result
end

local mutex, condition = call("create_lock", "mutex"), call("create_lock", "condition")

local waiter = process.fork(function()
  if mended then call("lock", mutex) end
  while not ipc.lookup("ready") do
    if not mended then call("lock", mutex) end
    call("wait_condition", condition, mutex)
    if not mended then call("unlock", mutex) end
  end
end, "waiter")

process.fork(function()
  if mended then call("lock", mutex) end
  ipc.register("ready")
  call("notify", condition, true)
  if mended then call("unlock", mutex) end
  ipc.receiveEvent() -- the name lives as long as its owner
end, "notifier")

process.wait(waiter)
