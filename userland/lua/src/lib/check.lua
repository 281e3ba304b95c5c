-- Helpers of the other chunks: argument checks and errors in the words of Lua's own library.
local std = ...
local error, type, pcall, tonumber, rawtostring = std.error, std.type, std.pcall, std.tonumber, std.tostring
local tointeger, mathtype, gsub = std.math.tointeger, std.math.type, std.string.gsub

-- What the chunks replace, as it was before.
local raw = {
  next = std.next, rawget = std.rawget, setmetatable = std.setmetatable, sort = std.table.sort,
  find = std.string.find, sub = std.string.sub, format = std.string.format,
}

local check = { raw = raw }

-- The levels count from here: 1 is the check, 2 the library function, 3 the program.

-- Raises a type error about argument n of a function.
function check.mistyped(n, name, expected, value)
  error("bad argument #" .. n .. " to '" .. name .. "' (" .. expected .. " expected, got " .. type(value) .. ")", 3)
end

-- The string that a string or number is.
function check.string(value, n, name)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return rawtostring(value) end
  error("bad argument #" .. n .. " to '" .. name .. "' (string expected, got " .. kind .. ")", 3)
end

-- The integer that a number or string is; default, if given, stands for nil.
function check.integer(value, n, name, default)
  if mathtype(value) == "integer" then return value end
  if value == nil and default then return default end
  local integer = tointeger(value)
  if integer then return integer end
  if tonumber(value) then
    error("bad argument #" .. n .. " to '" .. name .. "' (number has no integer representation)", 3)
  end
  error("bad argument #" .. n .. " to '" .. name .. "' (number expected, got " .. type(value) .. ")", 3)
end

-- An integer that is the length of a table, whatever its __len gives.
function check.length(t)
  local n = #t
  if mathtype(n) == "integer" then return n end
  local integer = type(n) == "number" and tointeger(n)
  if integer then return integer end
  error("object length is not an integer", 3)
end

-- The results of pcall, called in a tail call with the name of the library function that makes it:
-- an error is raised again, with the program's position.
function check.finish(name, ok, ...)
  if ok then return ... end
  local message = ...
  if type(message) ~= "string" or message == "not enough memory" then error(message, 0) end
  error((gsub(message, "^(bad argument #%d+ to )'[^']*'", "%1'" .. name .. "'")), 2)
end

return check
