-- What every program finds: the standard functions, without the way out of the sandbox, and with
-- errors that no program catches.
local k, base = ...

local raw_pcall, raw_xpcall, raw_load, raw_error = pcall, xpcall, load, error
local type, select, find = type, select, string.find

-- An error as a program may see it. Those that end the process (the budget's, memory's) go on
-- through every pcall.
local function caught(err)
  if type(err) == "userdata" or err == "not enough memory" then
    local text = k.catchable(err)
    if text == nil then
      raw_error(err, 0)
    end
    return text
  end
  return err
end

local function after(ok, ...)
  if ok then
    return true, ...
  end
  return false, caught((...))
end

function base.pcall(fn, ...)
  return after(raw_pcall(fn, ...))
end

function base.xpcall(fn, handler, ...)
  if type(handler) ~= "function" then
    raw_error("bad argument #2 (expected function, got " .. type(handler) .. ")", 2)
  end
  return after(raw_xpcall(fn, function(err)
    if type(err) == "userdata" then
      err = k.catchable(err) or err
      if type(err) == "userdata" then
        return err
      end
    end
    -- What the handler itself raises is returned in the place of its result: Lua would only say
    -- that there was an error in it.
    local _, result = raw_pcall(handler, err)
    return result
  end, ...))
end

-- Text chunks only; without an environment they get the program's own.
function base.load(chunk, name, mode, ...)
  if mode ~= nil and not find(mode, "t", 1, true) then
    return nil, "attempt to load a chunk that is not text: bytecode is refused"
  end
  local env = ...
  if select("#", ...) == 0 then
    env = k.globals()
  end
  if name == nil then
    name = type(chunk) == "string" and chunk or "=(load)"
  end
  local fn, text = raw_load(chunk, name, "t", env)
  if fn == nil then
    return nil, caught(text)
  end
  return fn
end

return caught
