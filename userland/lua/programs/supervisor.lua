-- A supervisor: workers that fail are started again, one that hangs is killed first.
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"

local RESTARTS = 2

local function steady()
  util.sleep(3)
  return "done"
end

local function failing()
  util.sleep(1)
  error("out of luck", 0)
end

local function hanging()
  local parent = process.getppid()
  for _ = 1, 3 do
    ipc.sendEvent(parent, "alive")
    util.sleep(0.5)
  end
  util.sleep(1 / 0)
end

local workers = {}

local function start(worker)
  worker.pid = process.fork(worker.run, worker.name)
  worker.heard = util.now()
  workers[worker.pid] = worker
  print("started " .. worker.name .. " as " .. worker.pid)
end

local function ended(exit)
  local worker = workers[exit.id]
  workers[exit.id] = nil
  if exit.error then
    print(worker.name .. " failed: " .. exit.error)
  elseif exit.signal then
    print(worker.name .. " was ended by signal " .. exit.signal)
  else
    return print(worker.name .. " returned " .. exit.value)
  end
  if worker.restarts == RESTARTS then
    print("gave up on " .. worker.name)
  else
    worker.restarts = worker.restarts + 1
    start(worker)
  end
end

for _, worker in ipairs {
  { name = "steady", run = steady },
  { name = "failing", run = failing },
  { name = "hanging", run = hanging, patience = 2 },
} do
  worker.restarts = 0
  start(worker)
end

while next(workers) do
  local name, param = util.pullEvent(0.5)
  if name == "process_complete" then
    ended(param)
  elseif name == "remote_event" and workers[param.sender] then
    workers[param.sender].heard = util.now()
  end
  for pid, worker in pairs(workers) do
    if worker.patience and util.now() - worker.heard > worker.patience then
      print(worker.name .. " is silent: killed")
      worker.heard = util.now()
      ipc.kill(pid, ipc.signal.SIGKILL)
    end
  end
end
print("nobody is left at " .. util.now())
