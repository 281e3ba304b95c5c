-- A pipeline with back-pressure: a stage sends only as many items as the next one has asked for.
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"

local ITEMS, WINDOW = 8, 2

-- Takes a credit of the next stage, waiting for one if need be.
local function send(stage, credits, item)
  if credits == 0 then
    ipc.receiveEvent(stage, "credit")
    credits = credits + 1
  end
  ipc.sendEvent(stage, "item", item)
  return credits - 1
end

-- Takes an item and gives the credit back.
local function take()
  local _, item = ipc.receiveEvent(nil, "item")
  ipc.sendEvent(ipc.sender(), "credit")
  return item
end

local function consumer()
  local sum = 0
  for item in take do
    if item == "end" then
      break
    end
    process.compute(1)
    sum = sum + item
    print("consumed " .. item .. " at " .. util.now())
  end
  return sum
end

local function doubler(out)
  local credits = WINDOW
  for item in take do
    credits = send(out, credits, item == "end" and item or item * 2)
    if item == "end" then
      return
    end
  end
end

local function producer(out)
  local credits = WINDOW
  for i = 1, ITEMS do
    credits = send(out, credits, i)
    print("produced " .. i .. " at " .. util.now())
  end
  send(out, credits, "end")
end

local last = process.fork(consumer, "consumer")
local middle = process.fork(doubler, "doubler", last)
process.fork(producer, "producer", middle)
print("the sum is " .. process.wait(last).value)
