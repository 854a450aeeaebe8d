-- Keys: the index, the hash that has the sum of the entries' bytes, an entry. Arguments: the overhead of one.
-- What is none of ours in their place is begun anew: entries go by themselves in their time.
local function isOurs()
  local sum = redis.pcall('HINCRBY', KEYS[2], 'bytes', 0)
  return type(sum) == 'number' and redis.pcall('ZRANGE', KEYS[1], 0, 0)['err'] == nil
end
if not isOurs() then redis.call('DEL', KEYS[1], KEYS[2]) end

local size = redis.pcall('STRLEN', KEYS[3])
if type(size) == 'number' then
  local taken = redis.call('ZREM', KEYS[1], size .. ' ' .. KEYS[3])
  if taken == 1 then redis.call('HINCRBY', KEYS[2], 'bytes', -(size + tonumber(ARGV[1]))) end
end
redis.call('DEL', KEYS[3])
return redis.call('HINCRBY', KEYS[2], 'bytes', 0)
