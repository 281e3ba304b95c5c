-- tostring without addresses: tables, functions, coroutines and userdata have numbers, given in the
-- order in which they are first shown. The numbers are kept in a weak table, which no program can
-- see, and are never given twice.
local std, prim, check, base = ...
local error, type, getmetatable = std.error, std.type, std.getmetatable
local rawtostring, select = std.tostring, std.select
local find, sub = check.raw.find, check.raw.sub
local metafields = prim.metafields

local numbers = check.raw.setmetatable({}, { __mode = "k" })
local last = 0

-- The number of an object.
function check.number(object)
  local number = numbers[object]
  if not number then
    last = last + 1
    number = last
    numbers[object] = number
  end
  return number
end
local number = check.number

-- What tostring gives; level is that of errors, counted from here.
local function display(value, level)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "table" then
    if getmetatable(value) ~= nil then
      local show, name = metafields(value, "__tostring", "__name")
      if show ~= nil then
        local text = show(value)
        local shown = type(text)
        if shown == "string" then return text end
        if shown == "number" then return rawtostring(text) end
        error("'__tostring' must return a string", level + 1)
      end
      if type(name) == "string" then kind = name end
    end
    return kind .. ": " .. number(value)
  end
  if kind == "function" or kind == "thread" then return kind .. ": " .. number(value) end
  local text = rawtostring(value)
  if kind == "userdata" then
    local colon = find(text, ": 0x%x+$") or find(text, ": %(nil%)$") or find(text, ": %x+$")
    if colon then return sub(text, 1, colon + 1) .. number(value) end
  end
  return text
end
check.display = display

function base.tostring(...)
  local value = ...
  if type(value) == "number" then return rawtostring(value) end
  if value == nil and select("#", ...) == 0 then
    error("bad argument #1 to 'tostring' (value expected)", 2)
  end
  return (display(value, 2))
end
