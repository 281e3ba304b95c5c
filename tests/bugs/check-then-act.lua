-- Two processes look a name up, and take it if it is free. Both may find it free.
-- Mended: who could not take it follows.
local ipc = require "system.ipc"
local process = require "system.process"
local mended = ... == "mended"

local function starts()
  if ipc.lookup("service") then return end
  local taken = ipc.register("service")
  assert(taken or mended, "the service runs twice")
end

local one, two = process.fork(starts, "one"), process.fork(starts, "two")
process.wait(one)
process.wait(two)
