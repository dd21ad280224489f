-- A graph: entities by id and by type, relations by key, and their keys in the order of either end. An entity is kept
-- as its type, U+0000 and its properties; a relation has the key (from, type, to), joined by U+0000, which no id has.

local IDS, TYPES, ENTITIES = KEYS[2], KEYS[3], KEYS[4]
local RELATIONS, OUT, IN, COUNTS = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local SIDES = {outgoing = {OUT}, incoming = {IN}, both = {OUT, IN}}

local function joined(...) return table.concat({...}, '\0') end

local function type_of(entity) return entity:sub(1, entity:find('\0', 1, true) - 1) end

-- Calls `visit` with the other end and the type of an entity's relations on a side, of some types or (nil) of all.
local function each_relation(side, id, types, visit)
  local starts = {id}
  for i, type in ipairs(types or {}) do starts[i] = joined(id, type) end
  for i = 1, types and #types or 1 do
    for _, member in ipairs(call('ZRANGE', side, '[' .. starts[i] .. '\0', '(' .. starts[i] .. '\1', 'BYLEX')) do
      local at = member:find('\0', #id + 2, true)
      visit(member:sub(at + 1), member:sub(#id + 2, at - 1))
    end
  end
end

local function put_entity(id, type, properties)
  local before = call('HGET', ENTITIES, id)
  if not before then
    call('ZADD', IDS, 0, id)
  elseif type_of(before) ~= type then
    call('ZREM', TYPES, joined(type_of(before), id))
  end
  call('ZADD', TYPES, 0, joined(type, id))
  call('HSET', ENTITIES, id, joined(type, properties))
end

-- ARGV: an id, a type and properties each; returns how many are stored.
local function put_entities(if_absent)
  local count = 0
  with_arguments(3, function(arguments, first)
    for i = first, #arguments, 3 do
      if not (if_absent and call('HEXISTS', ENTITIES, arguments[i]) == 1) then
        put_entity(arguments[i], arguments[i + 1], arguments[i + 2])
        count = count + 1
      end
    end
  end)
  return count
end

function operations.put_entities() return put_entities(false) end
function operations.put_absent_entities() return put_entities(true) end

-- ARGV: from, type, to and properties each; returns the first relation that lacks an end, and that end.
function operations.put_relations()
  local known, missing = {}, nil
  with_arguments(4, function(arguments, first)
    for i = first, #arguments, 4 do
      for _, id in ipairs({arguments[i], arguments[i + 2]}) do
        known[id] = known[id] or call('HEXISTS', ENTITIES, id) == 1
        if not known[id] then
          missing = missing or {arguments[i], arguments[i + 2], arguments[i + 1], id}
        end
      end
    end
  end)
  if missing then return missing end
  with_arguments(4, function(arguments, first)
    for i = first, #arguments, 4 do
      local from, type, to = arguments[i], arguments[i + 1], arguments[i + 2]
      local key = joined(from, type, to)
      if call('HSET', RELATIONS, key, arguments[i + 3]) == 1 then
        call('ZADD', OUT, 0, key)
        call('ZADD', IN, 0, joined(to, type, from))
        call('HINCRBY', COUNTS, type, 1)
      end
    end
  end)
end

local function delete_relation(from, type, to)
  local key = joined(from, type, to)
  if call('HDEL', RELATIONS, key) == 0 then return 0 end
  call('ZREM', OUT, key)
  call('ZREM', IN, joined(to, type, from))
  if call('HINCRBY', COUNTS, type, -1) == 0 then call('HDEL', COUNTS, type) end
  return 1
end

-- ARGV: from, type and to each; returns how many were there.
function operations.delete_relations()
  local count = 0
  with_arguments(3, function(arguments, first)
    for i = first, #arguments, 3 do
      count = count + delete_relation(arguments[i], arguments[i + 1], arguments[i + 2])
    end
  end)
  return count
end

-- ARGV: types of relations; returns how many were there.
function operations.delete_types()
  local wanted, count = {}, 0
  for i = 2, #ARGV do wanted[ARGV[i]] = true end
  for _, key in ipairs(call('ZRANGE', OUT, 0, -1)) do
    local from, type, to = string.match(key, '^(%Z+)%z(%Z+)%z(%Z+)$')
    if wanted[type] then count = count + delete_relation(from, type, to) end
  end
  return count
end

-- Deletes an entity and the relations that touch it; returns whether it was there.
local function delete_entity(id)
  local entity = call('HGET', ENTITIES, id)
  if not entity then return 0 end
  each_relation(OUT, id, nil, function(to, type) delete_relation(id, type, to) end)
  each_relation(IN, id, nil, function(from, type) delete_relation(from, type, id) end)
  call('HDEL', ENTITIES, id)
  call('ZREM', IDS, id)
  call('ZREM', TYPES, joined(type_of(entity), id))
  return 1
end

local function delete_all(ids)
  local count = 0
  for _, id in ipairs(ids) do count = count + delete_entity(id) end
  return count
end

function operations.delete_entities()
  local count = 0
  with_arguments(1, function(arguments, first)
    count = count + delete_all(rest(arguments, first))
  end)
  return count
end

define_deletions(function(id) return call('HGET', ENTITIES, id) end, delete_all)

-- Returns the ids of a range. ARGV: low, high and what comes before each id: nothing, or a type.
local function chosen(limit, reverse)
  local start = #ARGV[4]
  if start == 0 then return ids_between(IDS, ARGV[2], ARGV[3], limit, reverse) end
  local ids = ids_between(TYPES, ARGV[2], ARGV[3], limit, reverse)
  for i, member in ipairs(ids) do ids[i] = member:sub(start + 1) end
  return ids
end

function operations.delete_range() return delete_all(chosen(0, false)) end

function operations.count() return call('ZLEXCOUNT', ARGV[4] == '' and IDS or TYPES, ARGV[2], ARGV[3]) end

function operations.count_relations()
  if ARGV[2] == '' then return call('HLEN', RELATIONS) end
  return tonumber(call('HGET', COUNTS, ARGV[2]) or 0)
end

local function entities(ids) return {ids, each_part('HMGET', ENTITIES, ids)} end
local function relations(keys) return {keys, each_part('HMGET', RELATIONS, keys)} end

-- ARGV: a range as above, then limit (0: all) and whether reversed.
function operations.find() return entities(chosen(tonumber(ARGV[5]), ARGV[6] == '1')) end

function operations.get() return each_part('HMGET', ENTITIES, rest(ARGV, 2)) end

-- Replaces what is stored of an entity, if it is still what was seen; returns whether. ARGV: id, seen, new.
function operations.replace()
  if call('HGET', ENTITIES, ARGV[2]) ~= ARGV[3] then return 0 end
  call('HSET', ENTITIES, ARGV[2], ARGV[4])
  return 1
end

-- Returns the relation types from an argument on: nil for all, which no argument says.
local function types_from(first)
  if ARGV[first] == 'all' then return nil end
  return rest(ARGV, first + 1)
end

-- Returns the types of an entity's relations on a side, by leaping from one to the next.
local function types_on(side, id)
  local types, low = {}, '[' .. id .. '\0'
  while true do
    local member = call('ZRANGE', side, low, '(' .. id .. '\1', 'BYLEX', 'LIMIT', 0, 1)[1]
    if not member then return types end
    types[#types + 1] = member:sub(#id + 2, member:find('\0', #id + 2, true) - 1)
    low = '[' .. joined(id, types[#types]) .. '\1'
  end
end

-- Returns an entity's relations by (from, to, type), where there is a limit, from behind one; of each type and side no
-- more than the limit are read. ARGV: id, direction, limit (0: all), from, to and type of the one, types.
function operations.relations()
  local id, direction, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
  local after, types = joined(ARGV[5], ARGV[6], ARGV[7]), types_from(8)
  local ordered, keys = {}, {}
  local function collect(side, least, key_of)
    for _, type in ipairs(types or types_on(side, id)) do
      local start = joined(id, type, '')
      local bounds = {side, '[' .. start .. least, '(' .. joined(id, type) .. '\1', 'BYLEX'}
      if limit > 0 then append(bounds, {'LIMIT', 0, limit + 1}) end -- the first may be the one
      for _, member in ipairs(call('ZRANGE', unpack(bounds))) do
        local from, to = key_of(member:sub(#start + 1))
        local place = joined(from, to, type)
        if before(after, place) and not keys[place] then
          ordered[#ordered + 1] = place
          keys[place] = joined(from, type, to)
        end
      end
    end
  end
  if direction ~= 'incoming' and not before(id, ARGV[5]) then
    collect(OUT, ARGV[5] == id and ARGV[6] or '', function(other) return id, other end)
  end
  if direction ~= 'outgoing' then
    collect(IN, ARGV[5], function(other) return other, id end)
  end
  if limit > 0 then ordered = first_of(sorted(ordered), limit) end
  for i, place in ipairs(ordered) do ordered[i] = keys[place] end
  return relations(ordered)
end

-- Returns the relations of the entities after one, which are complete: at least so many, unless it is the end.
function operations.relations_after()
  local size = tonumber(ARGV[3])
  local keys = call('ZRANGE', OUT, '(' .. ARGV[2] .. '\1', '+', 'BYLEX', 'LIMIT', 0, size)
  if #keys == size then
    local last = keys[size]
    local from = last:sub(1, last:find('\0', 1, true) - 1)
    for _, key in ipairs(call('ZRANGE', OUT, '(' .. last, '(' .. from .. '\1', 'BYLEX')) do keys[#keys + 1] = key end
  end
  return relations(keys)
end

-- Returns who is one step away from a level and was not seen. They are seen then: each from the first that leads there.
local function step(level, sides, types, seen)
  local following = {}
  for _, id in ipairs(level) do
    for _, side in ipairs(sides) do
      each_relation(side, id, types, function(other)
        if not seen[other] then
          seen[other] = id
          following[#following + 1] = other
        end
      end)
    end
  end
  return following
end

-- ARGV: start, limit, the type of each step.
function operations.query()
  local level = {}
  if call('HEXISTS', ENTITIES, ARGV[2]) == 1 then level[1] = ARGV[2] end
  for i = 4, #ARGV do level = step(level, {OUT}, {ARGV[i]}, {}) end
  return entities(first_of(sorted(level), tonumber(ARGV[3])))
end

-- ARGV: start, direction, depth, limit, types.
function operations.neighbors()
  local start, types, found = ARGV[2], types_from(6), {}
  local seen, level = {[start] = start}, {start}
  for _ = 1, tonumber(ARGV[4]) do
    level = step(level, SIDES[ARGV[3]], types, seen)
    if #level == 0 then break end
    append(found, level)
  end
  return entities(first_of(sorted(found), tonumber(ARGV[5])))
end

-- The levels are in the order of the smallest paths to their entities, so that the first to reach the goal is on the
-- smallest one; this is returned from the goal back. ARGV: start, goal, depth, types.
function operations.shortest_path()
  local start, goal = ARGV[2], ARGV[3]
  if call('HEXISTS', ENTITIES, start) == 0 then return {{}, {}} end
  local came_from, level, depth, types = {[start] = start}, {start}, 0, types_from(5)
  while not came_from[goal] and #level > 0 and depth < tonumber(ARGV[4]) do
    local following = {}
    for _, near in ipairs(level) do
      append(following, sorted(step({near}, {OUT}, types, came_from)))
      if came_from[goal] then break end
    end
    level, depth = following, depth + 1
  end
  if not came_from[goal] then return {{}, {}} end
  local path = {goal}
  while path[#path] ~= start do path[#path + 1] = came_from[path[#path]] end
  return entities(path)
end

-- ARGV: direction, depth, limit (0: all), how many starts, these, types.
function operations.subgraph()
  local limit, last = tonumber(ARGV[4]), 5 + tonumber(ARGV[5])
  if limit == 0 then limit = math.huge end
  local level, seen, types = {}, {}, types_from(last + 1)
  for i = 6, last do
    local id = ARGV[i]
    if not seen[id] and call('HEXISTS', ENTITIES, id) == 1 then
      seen[id] = id
      level[#level + 1] = id
    end
  end
  local found, depth = sorted(level), 0
  while #level > 0 and #found < limit and depth < tonumber(ARGV[3]) do
    level, depth = sorted(step(level, SIDES[ARGV[2]], types, seen)), depth + 1
    append(found, level)
  end
  found = first_of(found, limit)
  local inside, keys = {}, {}
  for _, id in ipairs(found) do inside[id] = true end
  for _, id in ipairs(found) do
    each_relation(OUT, id, types, function(to, type)
      if inside[to] then keys[#keys + 1] = joined(id, type, to) end
    end)
  end
  return {entities(found), relations(keys)}
end

function operations.clear() return call('UNLINK', unpack(KEYS, 2)) end
