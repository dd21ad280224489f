-- Vectors: ids in their order, and a hash for each item, which the query engine indexes by its key.
-- v is the vector, or r, where float32 cannot measure it and no index has it; m the metadata; t the terms.
-- The layout has the dimension; under index:<name> how an index is made; the greatest length of a v; whether there
-- ever was an r; and under complete:<name> the dimension of an index that is known to have every item, and the run of
-- the server that knows it: what a restart or a failover leaves of an index is completed by and by.

local LAYOUT, IDS = KEYS[1], KEYS[2]
local ROOT = string.sub(LAYOUT, 1, -string.len('layout') - 1)
local ITEM = ROOT .. 'item:'
local WIDTH = 6 -- id, v or r, vector, length, metadata, terms

local function moving() retried_later('some of its keys are not here: its slot may be moving') end

-- Returns the metadata of an item, and other fields.
local function stored(id, ...)
  local found = call('HMGET', ITEM .. id, 'm', ...)
  if not found[1] and call('ZSCORE', IDS, id) then moving() end
  return found
end

-- Returns the keys of items that there are.
local function items(ids)
  local keys, count = {}, 0
  for i, id in ipairs(ids) do keys[i] = ITEM .. id end
  for first = 1, #keys, PART do
    count = count + call('EXISTS', unpack(keys, first, math.min(first + PART - 1, #keys)))
  end
  if count < #ids then moving() end
  return keys
end

local function known(dimension) return dimension .. ' ' .. string.match(call('INFO', 'server'), 'run_id:(%x+)') end

local function index_of(name, dimension) return ROOT .. name .. ':' .. dimension end

-- Returns how many items an index has, or nothing where there is no such index.
local function indexed(index)
  local told = redis.pcall('FT.INFO', index)
  if told.err then return nil end
  for i = 1, #told - 1, 2 do
    local name = told[i]
    if (type(name) == 'table' and name.ok or name) == 'num_docs' then return tonumber(told[i + 1]) end
  end
end

-- Returns the names of the indexes that the store is opened with.
local function names()
  local found = {}
  for _, field in ipairs(call('HKEYS', LAYOUT)) do
    found[#found + 1] = string.match(field, '^index:(.+)')
  end
  return found
end

-- Makes an index where there is none. What is stored already comes into it by and by.
local function make(name, dimension)
  local index = index_of(name, dimension)
  if indexed(index) then return end
  local words = {}
  for word in string.gmatch(call('HGET', LAYOUT, 'index:' .. name), '%S+') do words[#words + 1] = word end
  words[#words + 1] = dimension
  call('FT.CREATE', index, 'ON', 'HASH', 'PREFIX', 1, ITEM, 'SCHEMA', 't', 'TAG', 'CASESENSITIVE', 'v', 'VECTOR',
    unpack(words))
end

-- Makes sure that an index has every item.
local function complete(name, dimension)
  make(name, dimension)
  local count, total = indexed(index_of(name, dimension)), call('ZCARD', IDS)
  if count ~= total then
    redis.pcall('HDEL', LAYOUT, 'complete:' .. name) -- who only reads may not
    retried_later(string.format('the index has %.0f of %.0f vectors yet', count, total))
  end
  redis.pcall('HSET', LAYOUT, 'complete:' .. name, known(dimension))
end

-- Fixes the dimension of a store that has none, and so no items.
local function fix(dimension)
  for _, name in ipairs(names()) do make(name, dimension) end
  call('HSET', LAYOUT, 'dimension', dimension)
  return dimension
end

-- Checks the dimension and the index at opening. Returns the dimension where it is another, '' where the index is
-- missing and must not be made. ARGV: name, how to make it (or ''), the dimension that is demanded (or '').
function operations.index()
  local name, recipe, demanded = ARGV[2], ARGV[3], ARGV[4]
  local dimension = call('HGET', LAYOUT, 'dimension')
  if dimension and demanded ~= '' and demanded ~= dimension then return dimension end
  if recipe ~= '' then
    if call('HGET', LAYOUT, 'index:' .. name) ~= recipe then call('HSET', LAYOUT, 'index:' .. name, recipe) end
  elseif call('HEXISTS', LAYOUT, 'index:' .. name) == 0 then
    return ''
  end
  if not dimension and demanded ~= '' and recipe ~= '' then dimension = fix(demanded) end
  if dimension then complete(name, dimension) end
  return false
end

-- Stores metadata, their terms and perhaps a vector, of which there is an r where `is_outlier`.
local function describe(id, is_outlier, metadata, terms, ...)
  call('HSET', ITEM .. id, 'm', metadata, 't', is_outlier and terms .. ',outlier' or terms, ...)
end

-- Stores items; returns the dimension and theirs where that is another.
function operations.put()
  local dimension = call('HGET', LAYOUT, 'dimension')
  local longest = tonumber(call('HGET', LAYOUT, 'longest') or 0)
  local other = false
  with_arguments(WIDTH, function(arguments, first)
    local given = string.format('%.0f', #arguments[first + 2] / 4)
    dimension = dimension or fix(given)
    if dimension ~= given then
      other = {dimension, given}
      return
    end
    local known, old = {}, {}
    for i = first, #arguments, WIDTH do
      if call('ZSCORE', IDS, arguments[i]) then
        known[#known + 1] = arguments[i]
        old[arguments[i]] = true
      end
    end
    items(known)
    for i = first, #arguments, WIDTH do
      local id, field, length = arguments[i], arguments[i + 1], tonumber(arguments[i + 3])
      if field == 'r' then
        call('HSET', LAYOUT, 'outliers', 1)
      elseif length > longest then
        longest = length
        call('HSET', LAYOUT, 'longest', arguments[i + 3])
      end
      call('ZADD', IDS, 0, id)
      describe(id, field == 'r', arguments[i + 4], arguments[i + 5], field, arguments[i + 2])
      if old[id] then call('HDEL', ITEM .. id, field == 'v' and 'r' or 'v') end
    end
  end)
  return other
end

-- Returns metadata and perhaps vectors of each id.
local function described(ids, with_vectors)
  local found = {}
  for i, id in ipairs(ids) do found[i] = with_vectors == '1' and stored(id, 'v', 'r') or stored(id) end
  return found
end

-- ARGV: with vectors, ids.
function operations.get() return described(rest(ARGV, 3), ARGV[2]) end

-- ARGV: low, high, limit (0: all), reversed, with vectors.
function operations.find()
  local ids = ids_between(IDS, ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1')
  return {ids, described(ids, ARGV[6])}
end

function operations.count() return call('ZLEXCOUNT', IDS, ARGV[2], ARGV[3]) end

function operations.dimension() return call('HGET', LAYOUT, 'dimension') end

-- Changes metadata where they are what was seen; returns whether. ARGV: id, those seen, the new ones, their terms.
function operations.update()
  local seen, outlier = unpack(stored(ARGV[2], 'r'))
  if seen ~= ARGV[3] then return 0 end
  describe(ARGV[2], outlier, ARGV[4], ARGV[5])
  return 1
end

local function delete(ids)
  local keys = items(ids)
  for first = 1, #ids, PART do
    local last = math.min(first + PART - 1, #ids)
    call('ZREM', IDS, unpack(ids, first, last))
    call('UNLINK', unpack(keys, first, last))
  end
  return #ids
end

function operations.delete_many()
  local ids = {}
  with_arguments(1, function(arguments, first)
    for i = first, #arguments do
      if call('ZSCORE', IDS, arguments[i]) then ids[#ids + 1] = arguments[i] end
    end
  end)
  return delete(ids)
end

define_deletions(function(id) return stored(id)[1] end, delete)

function operations.delete_range() return delete(ids_between(IDS, ARGV[2], ARGV[3], 0, false)) end

-- Deletes everything, and frees the dimension. ARGV: the dimension that is demanded, or ''.
function operations.clear()
  local dimension = call('HGET', LAYOUT, 'dimension')
  delete(call('ZRANGE', IDS, 0, -1))
  call('HDEL', LAYOUT, 'longest', 'outliers')
  if not dimension or ARGV[2] == dimension then return end
  for _, name in ipairs(names()) do
    if indexed(index_of(name, dimension)) then call('FT.DROPINDEX', index_of(name, dimension)) end
    call('HDEL', LAYOUT, 'complete:' .. name)
  end
  call('HDEL', LAYOUT, 'dimension')
  if ARGV[2] ~= '' then fix(ARGV[2]) end
end

-- Returns the dimension; where it is the query's, too, the greatest length, and what two queries find: the nearest, and
-- what has no distance. ARGV: name of the index, how many, vector, the queries.
function operations.search()
  local name, wanted, vector = ARGV[2], ARGV[3], ARGV[4]
  local dimension, longest, outliers, is_complete = unpack(
    call('HMGET', LAYOUT, 'dimension', 'longest', 'outliers', 'complete:' .. name))
  if not dimension or tonumber(dimension) ~= #vector / 4 then return {dimension} end
  if is_complete ~= known(dimension) then complete(name, dimension) end
  local index = index_of(name, dimension)
  local near = redis.pcall('FT.SEARCH', index, ARGV[5], 'PARAMS', 4, 'k', wanted, 'q', vector, 'SORTBY', 'd',
    'RETURN', 3, 'd', 'v', 'm', 'LIMIT', 0, wanted, 'DIALECT', 2, 'TIMEOUT', 0)
  if near.err then
    complete(name, dimension) -- in case that the index is gone
    return near
  end
  local far = outliers and call('FT.SEARCH', index, ARGV[6], 'RETURN', 2, 'r', 'm', 'LIMIT', 0, 1000000,
    'DIALECT', 2, 'TIMEOUT', 0) or {}
  return {dimension, longest or '0', near, far}
end
