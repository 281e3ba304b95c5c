-- A client asks again when the reply is late. The late reply to its first question may then be taken
-- for that to the second.
-- Mended: the client knows its replies by their number.
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"
local mended = ... == "mended"

local server = process.fork(function()
  while true do
    local _, question = ipc.receiveEvent()
    local client = ipc.sender()
    if question.number == 1 then util.sleep(1) end
    ipc.sendEvent(client, "reply", { number = question.number })
  end
end, "server")

for number = 1, 2 do
  ipc.sendEvent(server, "question", { number = number })
  repeat
    local name, reply = ipc.receiveEvent(server, "reply", 1)
    local known = name and reply.number == number
    assert(mended or not name or known, "this is the reply to another question")
  until known or not name or not mended
end
