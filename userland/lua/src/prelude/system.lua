-- The modules system.ipc, system.process and system.util, and the raw ABI.
--
-- A callback in `k` or `raw` returns a code and two results: nil when the call is done, true when
-- it parked (then the process's body resumes us with the same three), false when it failed with
-- the text in the first result.
local k, raw, base = ...

local yield = coroutine.yield
local error, type, next, pcall, ipairs = error, type, next, base.pcall, ipairs
local tointeger = math.tointeger
local yieldable, strand = coroutine.isyieldable, k.strand

local function park()
  local code, a, b
  if yieldable() then
    code, a, b = yield(true)
  else
    code, a, b = strand()
  end
  return code, a, b
end

local function parked()
  local code, a, b = park()
  while code do
    code, a, b = park()
  end
  if code == false then
    error(a, 0)
  end
  return a, b
end

local function none(code, a)
  if code then
    parked()
  elseif code == false then
    error(a, 0)
  end
end

local function one(code, a)
  if code == nil then
    return a
  elseif code then
    return (parked())
  end
  error(a, 0)
end

local function two(code, a, b)
  if code == nil then
    return a, b
  elseif code then
    return parked()
  end
  error(a, 0)
end

local function expected(index, what, got)
  error(k.place("bad argument #" .. index .. " (expected " .. what .. ", got " .. type(got) .. ")"), 0)
end

-- Event, param; two nils are one nil: the timeout.
local function event(code, a, b)
  a, b = two(code, a, b)
  if a == nil then
    return nil
  end
  return a, b
end

local ipc = {
  signal = {
    SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGTRAP = 5, SIGABRT = 6, SIGKILL = 9, SIGPIPE = 13,
    SIGTERM = 15, SIGCONT = 18, SIGSTOP = 19, SIGTTIN = 21, SIGTTOU = 22,
  },
}

function ipc.kill(pid, signal) none(k.kill(pid, signal)) end

function ipc.sigaction(signal, handler)
  if handler ~= nil and type(handler) ~= "function" then
    expected(2, "function or nil", handler)
  end
  -- The handler is in place before the kernel knows of it: a pending signal may run it at once.
  local number = type(signal) == "number" and tointeger(signal)
  local handlers, old = k.shelf("handlers"), nil
  if number then
    old = handlers[number]
    handlers[number] = handler
  end
  local code, text = k.sigaction(signal, handler ~= nil)
  if code == false and number then
    handlers[number] = old
  end
  none(code, text)
end

function ipc.sendEvent(pid, name, param) return one(k.send_event(pid, name, param)) end
function ipc.register(name) return one(k.register(name)) end
function ipc.unregister(name) none(k.unregister(name)) end
function ipc.lookup(name) return one(k.lookup(name)) end
function ipc.sendServiceEvent(service, name, param)
  return one(k.send_service_event(service, name, param))
end

function ipc.receiveEvent(pid, name, timeout)
  return event(k.receive_event(pid, name, timeout))
end

function ipc.call(pid, name, param, timeout) return event(k.call(pid, name, param, timeout)) end
function ipc.reply(param) return one(k.reply(param)) end
function ipc.sender() return k.sender() end

local process = {}

function process.getpid() return one(k.getpid()) end
function process.getppid() return one(k.getppid()) end
function process.getuser() return one(k.getuser()) end
function process.setuser(user) none(k.setuser(user)) end
function process.getname() return one(k.getname()) end
function process.getplist() return one(k.getplist()) end
function process.getpinfo(pid)
  local info, text = two(k.getpinfo(pid))
  if info == nil then
    return nil, text
  end
  return info
end
function process.clock() return one(k.getpinfo(one(k.getpid()))).cputime end
function process.nice(level, pid) return one(k.nice(level, pid)) end
function process.start(path, ...) return one(k.start(path, ...)) end
function process.fork(fn, name, ...)
  if type(fn) ~= "function" then
    expected(1, "function", fn)
  elseif name ~= nil and type(name) ~= "string" then
    expected(2, "string or nil", name)
  end
  return one(k.fork(fn, name, ...))
end

local function wait(pid, timeout) return one(k.wait(pid, timeout)) end

function process.wait(pid, timeout) return wait(pid, timeout) end
function process.run(path, ...)
  local exit = wait(one(k.start(path, ...)))
  if exit.error ~= nil then
    return false, exit.error
  elseif exit.signal ~= nil then
    return false, "ended by signal " .. exit.signal
  end
  return true, exit.value
end
function process.exit(value)
  none(k.exit(value))
end
function process.atexit(hook)
  if type(hook) ~= "function" then
    expected(1, "function", hook)
  end
  local hooks = k.shelf("hooks")
  hooks[#hooks + 1] = hook
  none(k.at_exit())
end
function process.monitor(pid) none(k.monitor(pid)) end
function process.demonitor(pid) none(k.demonitor(pid)) end
function process.compute(seconds) none(k.compute(seconds)) end
process["yield"] = function() none(k.yield_now()) end

local util = {}

function util.timer(seconds) return one(k.timer(seconds)) end
function util.alarm(at) return one(k.alarm(at)) end
function util.cancel(id) return one(k.cancel(id)) end
function util.sleep(seconds) none(k.sleep(seconds)) end
function util.now() return one(k.now()) end
function util.pullEvent(timeout) return event(k.next_event(timeout)) end
function util.filterEvent(...) return event(k.filter_event({ ... })) end
function util.queueEvent(name, param) none(k.queue_event(name, param)) end
function util.peekEvent() return event(k.peek_event()) end

-- The raw ABI: every call by its own name, the answer as true, results... or false, message.
local function reply(code, a, b)
  while code do
    code, a, b = park()
  end
  if code == false then
    return false, a
  elseif b ~= nil then
    return true, a, b
  elseif a ~= nil then
    return true, a
  end
  return true
end

local function protected(fn)
  return function(...) return pcall(fn, ...) end
end

local syscalls = {
  sigaction = protected(ipc.sigaction),
  at_exit = protected(process.atexit),
  spawn = protected(process.start),
  fork = protected(process.fork),
}
for name, call in next, raw do
  syscalls[name] = function(a, b, c, d) return reply(call(a, b, c, d)) end
end

-- What `coroutine.yield` does in a program's main coroutine.
local function trap(first, name, ...)
  if first ~= "syscall" then
    return event(k.next_event())
  end
  local call = syscalls[name]
  if not call then
    return false, "No such syscall"
  end
  return call(...)
end

-- Runs the handler of a signal, in a coroutine of its own over the interrupted one.
local function handle(signal)
  local handler = k.shelf("handlers")[signal]
  if handler then
    handler(signal)
  end
end

-- Runs the exit hooks, oldest first; one that fails doesn't stop the others.
local function run_hooks()
  for _, hook in ipairs(k.shelf("hooks")) do
    local ok, text = pcall(hook)
    if not ok then
      none(k.diagnose(k.show(text)))
    end
  end
end

return {
  ipc = ipc, process = process, util = util,
  trap = trap, handle = handle, run_hooks = run_hooks,
  none = none, one = one,
}
