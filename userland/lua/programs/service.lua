-- A service with clients: it registers a name, they look it up, ask, and get replies.
local ipc = require "system.ipc"
local process = require "system.process"
local util = require "system.util"

local function calculator()
  ipc.register("calculator")
  while true do
    local name, param = ipc.receiveEvent()
    if name == "add" then
      ipc.reply(param[1] + param[2])
    elseif name == "divide" and param[2] ~= 0 then
      ipc.reply(param[1] / param[2])
    else
      ipc.reply("cannot " .. name)
    end
  end
end

local function find(name)
  local pid = ipc.lookup(name)
  while not pid do
    util.sleep(0.1)
    pid = ipc.lookup(name)
  end
  return pid
end

local function client(number)
  local service = find("calculator")
  for i = 1, 2 do
    local _, sum = ipc.call(service, "add", { number, i })
    print(number .. " + " .. i .. " = " .. sum)
    util.sleep(0.5)
  end
  local _, quotient = ipc.call(service, "divide", { number, number - 2 })
  print(number .. " / " .. (number - 2) .. ": " .. quotient)
end

local service = process.fork(calculator, "calculator")
for i = 1, 3 do
  process.fork(client, "client" .. i, i)
end
for _ = 1, 3 do
  util.filterEvent("process_complete")
end

ipc.kill(service, ipc.signal.SIGTERM)
local _, ended = util.filterEvent("process_complete")
print("the service ended by signal " .. ended.signal)
print("its name is free: " .. tostring(ipc.lookup("calculator")))
