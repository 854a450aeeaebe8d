-- Keys: the index (entries by the end of their time), the hash that has the sum of their bytes, then entries.
-- Arguments: for how long entries live (ms), the bound on the sum, the overhead of one, for how long the index lives (ms), then
-- the bytes of each. Answers the sum and how many had to go before their time.
local ttl, maxBytes, overhead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

-- Redis' clock is the only one: to a gateway whose own goes ahead all entries of others would be over.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- What is none of ours in their place is begun anew: entries go by themselves in their time.
local function isOurs()
  local sum = redis.pcall('HINCRBY', KEYS[2], 'bytes', 0)
  return type(sum) == 'number' and redis.pcall('ZRANGE', KEYS[1], 0, 0)['err'] == nil
end
if not isOurs() then redis.call('DEL', KEYS[1], KEYS[2]) end

local function sizeOf(key)
  local size = redis.pcall('STRLEN', key)
  return type(size) == 'number' and size or 0
end

local function take(member)
  if redis.call('ZREM', KEYS[1], member) == 0 then return end
  redis.call('HINCRBY', KEYS[2], 'bytes', -(tonumber(string.match(member, '^%d+')) + overhead))
end

-- So many may go in one call; those that go for this call's entries free at least what these take.
local most = 1000

for i = 3, #KEYS do
  local bytes = ARGV[i + 2]
  most = most + math.ceil((#bytes + overhead) / overhead)
  take(sizeOf(KEYS[i]) .. ' ' .. KEYS[i])
  redis.call('SET', KEYS[i], bytes, 'PX', ttl)
  -- One that went by itself still has its place, and counts already.
  if redis.call('ZADD', KEYS[1], now + ttl, #bytes .. ' ' .. KEYS[i]) == 1 then
    redis.call('HINCRBY', KEYS[2], 'bytes', #bytes + overhead)
  end
end

-- As long as no entry outlives it.
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])

-- Those whose time is over have gone by themselves; of the others those go first that would go first anyway.
local sum = redis.call('HINCRBY', KEYS[2], 'bytes', 0)
local evicted = 0
for _ = 1, most do
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if first[1] == nil then
    -- An index that was lost takes its sum with it.
    redis.call('DEL', KEYS[2])
    sum = 0
    break
  end
  local isOver = tonumber(first[2]) <= now
  if not isOver and sum <= maxBytes then break end
  local key = string.match(first[1], '^%d+ (.*)$')
  if not isOver then
    redis.call('DEL', key)
    evicted = evicted + 1
  end
  take(first[1])
  sum = redis.call('HINCRBY', KEYS[2], 'bytes', 0)
end
return { sum, evicted }
