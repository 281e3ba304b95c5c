-- Two nodes tell each other their numbers. The one that hears of none or of a lower one leads. The
-- higher one is slow: its number may come too late, and both lead.
-- Mended: who leads must own the name "leader".
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"
local mended = ... == "mended"

local function node(number, delay)
  local _, other = ipc.receiveEvent(nil, "start")
  util.sleep(delay)
  ipc.sendEvent(other, "number", number)
  local _, heard = ipc.receiveEvent(other, "number", 1)
  if heard and heard > number then return end
  local leads = ipc.register("leader")
  assert(leads or mended, "there are two leaders")
  ipc.receiveEvent(nil, "stop", 5)
end

local low = process.fork(node, "low", 1, 0)
local high = process.fork(node, "high", 2, 1)
ipc.sendEvent(low, "start", high)
ipc.sendEvent(high, "start", low)
process.wait(low)
process.wait(high)
