-- What a script may see, made of what the interpreter has. All that is global is shown through tables that have nothing
-- of their own, so that nothing can be left behind in them.

local natives, G = ...

local type, tostring, error, next, select = G.type, G.tostring, G.error, G.next, G.select
local rawget, rawset, setmetatable, getmetatable = G.rawget, G.rawset, G.setmetatable, G.getmetatable
local raw_pcall, raw_xpcall, reveal = G.pcall, G.xpcall, natives.reveal
local string, table, math, coroutine = G.string, G.table, G.math, G.coroutine

local READONLY = "Attempt to modify a readonly table"

-- From what a script holds to what it shows.
local hidden = {}

local function refuse()
  error(READONLY, 2)
end

local function seal(shown)
  local proxy = {}
  hidden[proxy] = shown
  setmetatable(proxy, { __index = shown, __newindex = refuse, __metatable = false })
  return proxy
end

-- What a metatable that is nobody's business looks like. The one for all: what is sealed is kept for ever.
local nothing = seal({})

local function check_writable(t)
  if t ~= nil and hidden[t] then
    error(READONLY, 0)
  end
end

-- Catching

-- An error with a text of Redis becomes that text, as it does there.
local function plain(caught)
  caught = reveal(caught)
  if type(caught) == "table" then
    local text = rawget(caught, "err")
    if type(text) == "string" then
      return text
    end
  end
  return caught
end

local function settle(ok, ...)
  if ok then
    return ok, ...
  end
  return ok, plain((...))
end

local function pcall(...)
  return settle(raw_pcall(...))
end

local function settle_resumed(ok, ...)
  if ok then
    return ok, ...
  end
  return ok, reveal((...))
end

-- A panic is no script's to catch: whatever is asked about one raises it again. A handler of errors must not raise it, and
-- returns it instead, to be raised behind `raw_xpcall`.
--
-- A script that has to end is told so from within its hook, where Lua runs the handler and no further hook: nobody could end
-- that one.

local function xpcall(f, handler)
  return settle_resumed(raw_xpcall(f, function(caught)
    if natives.is_over() then
      return caught
    end
    local ok, revealed = raw_pcall(reveal, caught)
    if ok then
      return handler(revealed)
    end
    return revealed
  end))
end

local function locate(caught)
  local _, located = raw_pcall(natives.locate, caught)
  return located
end

local raw_resume = coroutine.resume
coroutine.resume = function(...)
  return settle_resumed(raw_resume(...))
end

-- Tables

local function sealed_next(t, key)
  local shown = t ~= nil and hidden[t]
  return next(shown or t, key)
end

local function pairs(t)
  if t ~= nil and hidden[t] then
    return sealed_next, t, nil
  end
  return G.pairs(t)
end

local insert = table.insert
table.insert = function(t, ...)
  check_writable(t)
  return insert(t, ...)
end

-- Texts

-- That of the interpreter could repeat an empty text for ever.
string.rep = natives.rep

-- Chance

math.random = natives.random
math.randomseed = natives.randomseed

-- Code that scripts make

local environment

local function loadstring(text, name)
  return natives.compile(text, name, environment)
end

local function load(piece, name)
  local pieces = {}
  while true do
    local text = piece()
    if text == nil or text == "" then
      break
    end
    pieces[#pieces + 1] = text
  end
  return natives.compile(table.concat(pieces), name or "=(load)", environment)
end

-- The whole

local globals = {
  _VERSION = G._VERSION,
  assert = G.assert,
  error = error,
  ipairs = G.ipairs,
  rawequal = G.rawequal,
  select = select,
  tonumber = G.tonumber,
  tostring = tostring,
  type = type,
  unpack = G.unpack,
  pcall = pcall,
  xpcall = xpcall,
  pairs = pairs,
  next = sealed_next,
  load = load,
  loadstring = loadstring,
  gcinfo = G.gcinfo,
  collectgarbage = function(what)
    return what == "count" and G.gcinfo() or 0
  end,
  getmetatable = function(t)
    local meta = getmetatable(t)
    return meta == false and nothing or meta
  end,
  setmetatable = function(t, meta)
    check_writable(t)
    return setmetatable(t, meta)
  end,
  rawget = function(t, key)
    local shown = t ~= nil and hidden[t]
    return rawget(shown or t, key)
  end,
  rawset = function(t, key, value)
    check_writable(t)
    return rawset(t, key, value)
  end,
  string = seal(string),
  table = seal(table),
  math = seal(math),
  coroutine = seal(coroutine),
  os = seal({ clock = natives.clock }),
  bit = seal(natives.bit),
  cjson = seal(natives.cjson),
  cmsgpack = seal(natives.cmsgpack),
  struct = seal(natives.struct),
}

local redis = natives.redis
local call = redis.call
local function answer(ok, ...)
  if ok then
    return ...
  end
  local caught = reveal((...))
  if type(caught) == "table" then
    return caught
  end
  return { err = "ERR " .. tostring(caught) }
end
redis.pcall = function(...)
  return answer(raw_pcall(call, ...))
end
globals.redis = seal(redis)

natives.cjson.new = function()
  return globals.cjson
end

environment = seal(globals)
globals._G = environment
setmetatable(globals, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
getmetatable("").__metatable = seal({ __index = globals.string })

-- Run a script. What it is given is put where it looks for it, all of it new: nothing is left of the one before.

local function run(script, handler, keys, arguments)
  globals.KEYS, globals.ARGV = keys, arguments
  return raw_xpcall(script, handler)
end

local function run_without_key(script, handler, ...)
  globals.KEYS, globals.ARGV = {}, { ... }
  return raw_xpcall(script, handler)
end

local function run_with_key(script, handler, key, ...)
  globals.KEYS, globals.ARGV = { key }, { ... }
  return raw_xpcall(script, handler)
end

local function run_with_two_keys(script, handler, one, two, ...)
  globals.KEYS, globals.ARGV = { one, two }, { ... }
  return raw_xpcall(script, handler)
end

-- The same for so many keys and arguments as most have: of tables and functions whose size is known Lua makes less work.

local function names(letter, count)
  local all = {}
  for at = 1, count do
    all[at] = letter .. at
  end
  return all
end

local function runner(key_count, argument_count)
  local keys, arguments = names("k", key_count), names("a", argument_count)
  local parameters = { "script", "handler" }
  for _, list in G.ipairs({ keys, arguments }) do
    for _, name in G.ipairs(list) do
      insert(parameters, name)
    end
  end
  local comma = ", "
  local text = "local globals, xpcall = ... return function(" .. table.concat(parameters, comma) .. ") "
    .. "globals.KEYS, globals.ARGV = { " .. table.concat(keys, comma) .. " }, { " .. table.concat(arguments, comma) .. " } "
    .. "return xpcall(script, handler) end"
  return G.loadstring(text, "=sandbox")(globals, raw_xpcall)
end

return environment, locate, run, run_without_key, run_with_key, run_with_two_keys, runner
