-- What the scripts of all stores have in common. A script looks before it writes: an error in the middle would
-- leave what is written already.

local operations = {}
local call = redis.call

local function retried_later(why) error(redis.error_reply('TRYAGAIN ' .. why)) end

-- Where a slot moves, a key that is not here may be there already, and who needs one is stopped: in the middle.
if redis.pcall('TYPE', KEYS[1] .. ':none').err then retried_later('the slot of its keys is moving') end

if ARGV[1] ~= 'prepare' and call('HEXISTS', KEYS[1], 'version') == 0 then -- what were written now, nobody would find
  return redis.error_reply('SYMPHONYGONE there is no ' .. KEYS[1])
end

-- Lua passes a few thousand values at once.
local PART = 4000

-- Calls a command with many values, and returns all its replies.
local function each_part(command, key, values)
  local replies = {}
  for first = 1, #values, PART do
    local found = call(command, key, unpack(values, first, math.min(first + PART - 1, #values)))
    if type(found) == 'table' then
      for i = 1, #found do replies[first + i - 1] = found[i] end
    end
  end
  return replies
end

-- Whether one text comes before another by bytes, which is by code points.
local function before(one, other) return one < other end
local is_native = 'a' > 'B' -- the server's collation is that of C
if not is_native then
  before = function(one, other)
    for i = 1, math.min(#one, #other) do
      local here, there = one:byte(i), other:byte(i)
      if here ~= there then return here < there end
    end
    return #one < #other
  end
end

local function sorted(ids)
  table.sort(ids, not is_native and before or nil)
  return ids
end

local function append(list, more)
  for _, value in ipairs(more) do list[#list + 1] = value end
end

-- Returns the values of a list from one on.
local function rest(list, first)
  local values = {}
  for i = first, #list do values[i - first + 1] = list[i] end
  return values
end

-- Cuts a list off behind so many.
local function first_of(list, limit)
  for i = #list, limit + 1, -1 do list[i] = nil end
  return list
end

-- Returns the ids of a range, as ZRANGE BYLEX takes it; `limit` is 0 for all.
local function ids_between(key, low, high, limit, reverse)
  local arguments = {key, low, high, 'BYLEX'}
  if reverse then arguments = {key, high, low, 'BYLEX', 'REV'} end
  if limit > 0 then append(arguments, {'LIMIT', 0, limit}) end
  return call('ZRANGE', unpack(arguments))
end

-- Calls `work` with the arguments from the third on, or with what was staged under the last key: so many values.
local function with_arguments(width, work)
  if ARGV[2] == '' then
    work(ARGV, 3)
    return
  end
  local staged = KEYS[#KEYS]
  if call('LLEN', staged) ~= tonumber(ARGV[2]) then retried_later('parts of a large write are gone') end
  local size = width * math.floor(PART / width)
  for first = 0, call('LLEN', staged) - 1, size do
    work(call('LRANGE', staged, first, first + size - 1), 1)
  end
end

-- Defines the deletions of what was seen, of which `now` tells what there is, and `delete` deletes some and returns how
-- many. Where something has changed since, one returns -1 and does nothing: what stays would be a deletion done by half.
-- ARGV: pairs of an id and what was seen.
local function define_deletions(now, delete)
  local function deletion(is_whole)
    return function()
      local ids, has_changed = {}, false
      with_arguments(2, function(arguments, first)
        for i = first, #arguments, 2 do
          local found = now(arguments[i])
          if found == arguments[i + 1] then ids[#ids + 1] = arguments[i] end
          has_changed = has_changed or found and found ~= arguments[i + 1]
        end
      end)
      return is_whole and has_changed and -1 or delete(ids)
    end
  end
  operations.delete_seen, operations.delete_unchanged = deletion(true), deletion(false)
end

-- Adds a part of a large write to what is staged; it is forgotten where the write is never finished.
function operations.stage()
  local staged = KEYS[#KEYS]
  each_part('RPUSH', staged, rest(ARGV, 3))
  call('EXPIRE', staged, ARGV[2])
  return 0
end

-- Checks the keys under our names, and what we may do with them, and begins a store where there is none.
-- ARGV: kind, version, whether to create, the commands that are used, then the type of each key but the first.
function operations.prepare()
  for i, key in ipairs(KEYS) do
    local found, expected = call('TYPE', key).ok, i == 1 and 'hash' or ARGV[4 + i]
    if found ~= 'none' and found ~= expected then return {'wrong', key, found} end
  end
  local layout, create = KEYS[1], ARGV[4] ~= ''
  local kind, version = unpack(call('HMGET', layout, 'kind', 'version'))
  if not version and call('EXISTS', unpack(KEYS)) > 0 then return {'foreign'} end
  if not create then return version and {'found', kind, version} or {'missing'} end
  for command in string.gmatch(ARGV[5], '%S+') do -- a script that is stopped in the middle would leave half a write
    local known, allowed = pcall(redis.acl_check_cmd, command, layout, layout, layout, layout)
    if not known then return {'unknown', command} end
    if not allowed then return {'denied', command} end
  end
  if not version then
    call('HSET', layout, 'kind', ARGV[2], 'version', ARGV[3])
    kind, version = ARGV[2], ARGV[3]
  end
  redis.pcall('HSET', layout, 'opened', call('TIME')[1]) -- shows whether writes are confirmed; not where memory is full
  return {'found', kind, version}
end
