-- Keys: the index, the hash that has the sum of the entries' bytes, an entry. Arguments: the overhead of one.
local size = redis.pcall('STRLEN', KEYS[3])
if type(size) == 'number' then
  local taken = redis.call('ZREM', KEYS[1], size .. ' ' .. KEYS[3])
  if taken == 1 then redis.call('HINCRBY', KEYS[2], 'bytes', -(size + tonumber(ARGV[1]))) end
end
redis.call('DEL', KEYS[3])
return redis.call('HINCRBY', KEYS[2], 'bytes', 0)
