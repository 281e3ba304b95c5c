-- A worker delivers a job. When it is killed, it is started again with the same job, although it
-- may have delivered it before it died.
-- Mended: the ledger knows the jobs that it has got.
local ipc = require "system.ipc"
local process = require "system.process"
local mended = ... == "mended"

local ledger = process.fork(function()
  local known = {}
  while true do
    local name, job = ipc.receiveEvent()
    if name == "stop" then return end
    assert(mended or not known[job], "the job came twice")
    known[job] = true
  end
end, "ledger")

local function work(job)
  ipc.sendEvent(ledger, "job", job)
  ipc.lookup("anything") -- it has something else to do before it is done
end

local worker = process.fork(work, "worker", 1)
process.fork(function()
  pcall(ipc.kill, worker, ipc.signal.SIGKILL)
end, "killer")

local exit = process.wait(worker)
if exit.signal then
  process.wait(process.fork(work, "worker", 1))
end
ipc.sendEvent(ledger, "stop")
process.wait(ledger)
