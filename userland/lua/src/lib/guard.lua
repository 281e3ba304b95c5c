-- Raw access that respects frozen libraries, and setmetatable without what depends on the collector.
local std, prim, check, base = ...
local error, type, pcall, select = std.error, std.type, std.pcall, std.select
local rawget, rawset, rawlen = std.rawget, std.rawset, std.rawlen
local getmetatable, setmetatable = std.getmetatable, std.setmetatable
local frozen, finish, mistyped = prim.frozen, check.finish, check.mistyped

function base.rawget(t, key)
  if type(t) ~= "table" then mistyped(1, "rawget", "table", t) end
  return rawget(frozen[t] or t, key)
end

function base.rawset(t, key, value)
  if type(t) ~= "table" then mistyped(1, "rawset", "table", t) end
  if frozen[t] then error("attempt to change a frozen library", 2) end
  if key == nil then error("index is nil", 2) end
  if key ~= key then error("index is NaN", 2) end
  return rawset(t, key, value)
end

function base.rawlen(t)
  if type(t) == "string" then return #t end
  if type(t) ~= "table" then error("table or string expected", 2) end
  return rawlen(frozen[t] or t)
end

-- A field put into a metatable after it was set can't be refused. A late __gc has no effect in Lua
-- 5.4; a late __mode has: what such a table still holds is not the same in every run.
local REFUSED = {
  __gc = "__gc is not available here: when it runs depends on the collector (use __close, or an exit hook)",
  __mode = "__mode is not available here: what weak tables hold depends on the collector (remove entries yourself)",
}

function base.setmetatable(t, ...)
  local metatable = ...
  if type(t) ~= "table" then mistyped(1, "setmetatable", "table", t) end
  if type(metatable) == "table" then
    if rawget(metatable, "__gc") ~= nil then error(REFUSED.__gc, 2) end
    if rawget(metatable, "__mode") ~= nil then error(REFUSED.__mode, 2) end
  elseif metatable ~= nil or select("#", ...) == 0 then
    local got = select("#", ...) == 0 and "no value" or type(metatable)
    error("bad argument #2 to 'setmetatable' (nil or table expected, got " .. got .. ")", 2)
  end
  if getmetatable(t) == nil then return setmetatable(t, metatable) end
  return finish("setmetatable", pcall(setmetatable, t, metatable))
end
