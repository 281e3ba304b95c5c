-- A lock for many readers or one writer lets readers in while there are others, also when a writer
-- waits. Readers that overlap keep the writer out for ever.
-- Mended: nobody overtakes a waiting writer.
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"
local mended = ... == "mended"

local lock = process.fork(function()
  local reading, writer, overtaken, queue = 0, nil, 0, {}
  local function lets(pid)
    reading = reading + 1
    ipc.sendEvent(pid, "granted")
  end
  while true do
    local name = ipc.receiveEvent()
    local pid = ipc.sender()
    if name == "write" then
      writer = pid
    elseif name == "done" then
      reading = reading - 1
    elseif mended and writer then
      queue[#queue + 1] = pid
    else
      if writer then overtaken = overtaken + 1 end
      assert(overtaken < 2, "the writer is kept out")
      lets(pid)
    end
    if writer and reading == 0 then
      ipc.sendEvent(writer, "granted")
      ipc.receiveEvent(writer, "done")
      writer = nil
      for _, reader in ipairs(queue) do lets(reader) end
      queue = {}
    end
  end
end, "lock")

local function reader(rounds)
  for _ = 1, rounds do
    ipc.sendEvent(lock, "read")
    ipc.receiveEvent(lock, "granted")
    ipc.sendEvent(lock, "done")
  end
end

local function write()
  ipc.sendEvent(lock, "write")
  ipc.receiveEvent(lock, "granted")
  ipc.sendEvent(lock, "done")
end

local all = {
  process.fork(reader, "reader1", 2),
  process.fork(reader, "reader2", 1),
  process.fork(write, "writer"),
}
for _, pid in ipairs(all) do process.wait(pid) end
