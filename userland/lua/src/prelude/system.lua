-- The modules system.ipc, system.process and system.util, and the raw ABI.
--
-- What `k` has are the system calls themselves: functions in C that check their arguments, yield when
-- they park, and raise errors as texts. Those in `raw` return true and results, or false and a text.
local k, raw, base = ...

local error, type, next, pcall, ipairs = error, type, next, base.pcall, ipairs
local tointeger = math.tointeger

local function expected(index, what, got)
  error(k.place("bad argument #" .. index .. " (expected " .. what .. ", got " .. type(got) .. ")"), 0)
end

-- The value that a helper returned, or the error that it told.
local function sure(value, text)
  if value == nil then
    error(text, 0)
  end
  return value
end

local ipc = {
  signal = {
    SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGTRAP = 5, SIGABRT = 6, SIGKILL = 9, SIGPIPE = 13,
    SIGTERM = 15, SIGCONT = 18, SIGSTOP = 19, SIGTTIN = 21, SIGTTOU = 22,
  },
}

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
  local ok, text = pcall(k.sigaction, signal, handler ~= nil)
  if not ok then
    if number then
      handlers[number] = old
    end
    error(text, 0)
  end
end

ipc.kill, ipc.sendEvent, ipc.sendServiceEvent = k.kill, k.send_event, k.send_service_event
ipc.register, ipc.unregister, ipc.lookup = k.register, k.unregister, k.lookup
ipc.receiveEvent, ipc.call, ipc.reply, ipc.sender = k.receive_event, k.call, k.reply, k.sender

local process = {
  getpid = k.getpid, getppid = k.getppid, getuser = k.getuser, setuser = k.setuser,
  getname = k.getname, getplist = k.getplist, getpinfo = k.getpinfo, nice = k.nice, wait = k.wait,
  exit = k.exit, monitor = k.monitor, demonitor = k.demonitor, compute = k.compute,
  yield = k.yield_now,
}

function process.clock()
  return k.getpinfo(k.getpid()).cputime
end

function process.start(path, ...)
  sure(k.start(path, ...))
  return k.spawn()
end

function process.fork(fn, name, ...)
  if type(fn) ~= "function" then
    expected(1, "function", fn)
  elseif name ~= nil and type(name) ~= "string" then
    expected(2, "string or nil", name)
  end
  sure(k.fork(fn, name, ...))
  return k.spawn()
end

function process.run(path, ...)
  local exit = k.wait(process.start(path, ...))
  if exit.error ~= nil then
    return false, exit.error
  elseif exit.signal ~= nil then
    return false, "ended by signal " .. exit.signal
  end
  return true, exit.value
end

function process.atexit(hook)
  if type(hook) ~= "function" then
    expected(1, "function", hook)
  end
  local hooks = k.shelf("hooks")
  hooks[#hooks + 1] = hook
  k.at_exit()
end

local util = {
  timer = k.timer, alarm = k.alarm, cancel = k.cancel, sleep = k.sleep, now = k.now,
  pullEvent = k.next_event, queueEvent = k.queue_event, peekEvent = k.peek_event,
}

function util.filterEvent(...)
  return k.filter_event({ ... })
end

-- The raw ABI: every call by its own name.
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
  syscalls[name] = call
end

-- What `coroutine.yield` does in a program's main coroutine.
local function trap(first, name, ...)
  if first ~= "syscall" then
    return k.next_event()
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
      k.diagnose(k.show(text))
    end
  end
end

return {
  ipc = ipc, process = process, util = util,
  trap = trap, handle = handle, run_hooks = run_hooks,
  sure = sure,
}
