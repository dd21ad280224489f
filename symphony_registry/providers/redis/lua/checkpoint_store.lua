-- Checkpoints: ids in their order, the order saved, and what is kept under each id in three hashes.

local LAYOUT, IDS, ORDER, META, STATE, PAYLOAD = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local WIDTH = 5 -- id, metadata, state, whether there is a payload, payload

local function version_of(id)
  return call('ZSCORE', ORDER, id) or '0'
end

-- Saves some checkpoints one after the other; returns how many, and the last version.
local function save(arguments, first, if_absent)
  local count, number = 0, 0
  for i = first, #arguments, WIDTH do
    local id = arguments[i]
    if not (if_absent and call('ZSCORE', IDS, id)) then
      number = call('HINCRBY', LAYOUT, 'number', 1)
      call('ZADD', IDS, 0, id)
      call('ZADD', ORDER, number, id)
      call('HSET', META, id, arguments[i + 1])
      call('HSET', STATE, id, arguments[i + 2])
      if arguments[i + 3] == '1' then
        call('HSET', PAYLOAD, id, arguments[i + 4])
      else
        call('HDEL', PAYLOAD, id)
      end
      count = count + 1
    end
  end
  return count, number
end

local function delete(ids)
  local count = 0
  for first = 1, #ids, PART do
    local last = math.min(first + PART - 1, #ids)
    count = count + call('ZREM', IDS, unpack(ids, first, last))
    call('ZREM', ORDER, unpack(ids, first, last))
    call('HDEL', META, unpack(ids, first, last))
    call('HDEL', STATE, unpack(ids, first, last))
    call('HDEL', PAYLOAD, unpack(ids, first, last))
  end
  return count
end

-- Saves one checkpoint; returns whether, and the version that there is now. ARGV: the version to replace, or ''.
function operations.save()
  local found = version_of(ARGV[3])
  if ARGV[2] ~= '' and ARGV[2] ~= found then return {0, found} end
  local _, number = save(ARGV, 3, false)
  return {1, string.format('%.0f', number)}
end

local function save_all(if_absent)
  local count = 0
  with_arguments(WIDTH, function(arguments, first)
    count = count + save(arguments, first, if_absent)
  end)
  return count
end

function operations.save_many() return save_all(false) end
function operations.save_absent() return save_all(true) end

function operations.get()
  local found = {}
  for i = 2, #ARGV do
    local id = ARGV[i]
    local version = call('ZSCORE', ORDER, id)
    found[i - 1] = version
      and {id, version, call('HGET', META, id), call('HGET', STATE, id), call('HGET', PAYLOAD, id)}
  end
  return found
end

-- Returns the ids of a range by id, or in the order saved, and their versions.
local function chosen(low, high, limit, reverse, by)
  if by == 'saved' and low == '-' and high == '+' then
    local arguments = {ORDER, '-inf', '+inf', 'BYSCORE'}
    if reverse then arguments = {ORDER, '+inf', '-inf', 'BYSCORE', 'REV'} end
    if limit > 0 then append(arguments, {'LIMIT', 0, limit}) end
    local ids = call('ZRANGE', unpack(arguments))
    return ids, each_part('ZMSCORE', ORDER, ids)
  end
  local ids = ids_between(IDS, low, high, by == 'id' and limit or 0, reverse)
  local versions = each_part('ZMSCORE', ORDER, ids)
  if by == 'id' then return ids, versions end
  local numbers, places = {}, {}
  for i, version in ipairs(versions) do
    numbers[i] = tonumber(version)
    places[numbers[i]] = i
  end
  table.sort(numbers)
  local sorted, their = {}, {}
  for i = 1, limit > 0 and math.min(limit, #numbers) or #numbers do
    local place = places[numbers[reverse and #numbers + 1 - i or i]]
    sorted[i], their[i] = ids[place], versions[place]
  end
  return sorted, their
end

-- ARGV: low, high, limit (0: all), whether reversed, by id or saved, whether with data.
function operations.find()
  local ids, versions = chosen(ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6])
  local found = {ids, versions, each_part('HMGET', META, ids)}
  if ARGV[7] == '1' then
    found[4] = each_part('HMGET', STATE, ids)
    found[5] = each_part('HMGET', PAYLOAD, ids)
  end
  return found
end

function operations.count() return call('ZLEXCOUNT', IDS, ARGV[2], ARGV[3]) end

-- Deletes one checkpoint; returns whether it was there, and the version that there was. ARGV: the version, or ''.
function operations.delete()
  local found = version_of(ARGV[3])
  if ARGV[2] ~= '' and ARGV[2] ~= found then return {0, found} end
  return {delete({ARGV[3]}), found}
end

function operations.delete_many()
  local count = 0
  with_arguments(1, function(arguments, first)
    count = count + delete(rest(arguments, first))
  end)
  return count
end

define_deletions(function(id) return call('ZSCORE', ORDER, id) end, delete)

-- Deletes a range but for the newest. ARGV: low, high, how many to keep.
function operations.prune()
  local ids = chosen(ARGV[2], ARGV[3], 0, true, 'saved')
  local gone = {}
  for i = tonumber(ARGV[4]) + 1, #ids do gone[#gone + 1] = ids[i] end
  return delete(gone)
end

function operations.clear() return call('UNLINK', IDS, ORDER, META, STATE, PAYLOAD) end
