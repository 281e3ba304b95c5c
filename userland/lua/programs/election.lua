-- A leader election with timeouts: the highest node alive leads. A node that hears no leader asks
-- those above it; if none answers in time, it leads (the bully algorithm: Garcia-Molina 1982).
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"

local NODES, FINISH = 4, 4

local function name(rank) return "node" .. rank end
local function say(rank, text) print(name(rank) .. " " .. text) end

-- Tells a node of lower rank that it need not lead.
local function answer(rank, event, from)
  if event == "election" then
    ipc.sendServiceEvent(name(from), "answer", rank)
  end
end

local function lead(rank)
  say(rank, "leads at " .. string.format("%.2f", util.now()))
  while util.now() < FINISH do
    for other = 1, NODES do
      if other ~= rank then
        ipc.sendServiceEvent(name(other), "heartbeat", rank)
      end
    end
    answer(rank, ipc.receiveEvent(nil, "election", 0.2))
  end
end

local function answered(rank)
  for higher = rank + 1, NODES do
    ipc.sendServiceEvent(name(higher), "election", rank)
  end
  local event = ipc.receiveEvent(nil, "answer", 0.1)
  return event ~= nil
end

local function node(rank)
  ipc.register(name(rank))
  -- Lower nodes are more patient, so that they rarely ask in vain.
  local patience = 0.5 + 0.1 * (NODES - rank)
  while util.now() < FINISH do
    local event, from = ipc.receiveEvent(nil, nil, patience)
    answer(rank, event, from)
    if event == nil then
      if util.now() >= FINISH then
        return
      end
      say(rank, "hears no leader")
    end
    if (event == "election" or event == nil) and not answered(rank) then
      return lead(rank)
    end
  end
end

local nodes = {}
for rank = 1, NODES do
  nodes[rank] = process.fork(node, name(rank), rank)
end
for rank = NODES, 3, -1 do
  util.sleep(1.3)
  print("the leader, " .. name(rank) .. ", is killed at " .. util.now())
  ipc.kill(nodes[rank], ipc.signal.SIGKILL)
end
for _ = 1, NODES do
  util.filterEvent("process_complete")
end
print("done at " .. string.format("%.1f", util.now()))
