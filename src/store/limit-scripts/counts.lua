-- What the scripts of src/store/limits.ts share: it stands before each of them. Rates take the steps of
-- src/domain/rate-bucket.ts, where the reasoning is; change them together.
-- KEYS  1: the reservation's record; then one for each limit. All have the account as their hash tag.
-- ARGV  1: the verb.  2: a time.  3: the reservation's id; then five for each limit:
--       'rate'    size  capacity  period   amount
--       'period'  size  from      until    amount
--       'flight'  size  lease     0        amount
-- Times are microseconds. Answers {status, now, ...}: 1 done; nothing done: 0, 2 too late or another period, 3 not seeded.

-- Redis' clock is the only one: gateways need not agree.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local hold, verb, moment, id = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local hold_ms, count_kept_ms = 3600000, 2 * 86400000

-- Numbers above 10^14 would lose digits in Lua's own way to write them.
local function whole(number) return string.format('%.0f', number) end
local limits = {}
for i = 2, #KEYS do
  local at = 5 * i - 6
  limits[i - 1] = {
    key = KEYS[i], kind = ARGV[at], size = tonumber(ARGV[at + 1]),
    a = tonumber(ARGV[at + 2]), b = tonumber(ARGV[at + 3]), amount = tonumber(ARGV[at + 4]),
  }
end

-- Whether the caller means another day or month than the one that `at` is in.
local function is_out_of_period(at)
  for _, limit in ipairs(limits) do
    if limit.kind == 'period' and (at < limit.a or at >= limit.b) then return true end
  end
end

-- A rate's bucket is a flat list: level, its clock, last seq, then the marks: seq, low, seq, low, ...
local function mark(bucket, seq, low)
  if low > (#bucket > 3 and bucket[#bucket] or 0) then bucket[#bucket + 1], bucket[#bucket + 2] = seq, low end
end

-- The bucket as it is now: what has leaked since is gone, and marks above the level have sunk to it.
local function drained(limit)
  local raw = redis.call('GET', limit.key)
  local bucket = raw and cmsgpack.unpack(raw) or { 0, now, 0 }
  bucket[1] = math.max(0, bucket[1] - math.max(0, now - bucket[2]) * limit.size)
  bucket[2] = now
  local sunk
  while #bucket > 3 and bucket[#bucket] > bucket[1] do
    sunk = bucket[#bucket - 1]
    bucket[#bucket], bucket[#bucket - 1] = nil, nil
  end
  if sunk then mark(bucket, sunk, bucket[1]) end
  return bucket
end

-- Empty is as good as gone. The bound is for a size of 0, which leaks nothing.
local function save(limit, bucket)
  if bucket[1] == 0 then return redis.call('DEL', limit.key) end
  local ms = math.min(math.ceil(bucket[1] / limit.size / 1000) + 1, 1e12)
  redis.call('SET', limit.key, cmsgpack.pack(bucket), 'PX', whole(ms))
end

-- A day's or month's count is a hash. Once it is `seeded` with what was used before it was here, `used` is the sum. Until then
-- each reservation has a field of its own, since the ledger may know of it as well.
local function is_seeded(limit) return redis.call('HEXISTS', limit.key, 'seeded') == 1 end
local function keep_count(limit) redis.call('PEXPIREAT', limit.key, whole(limit.b / 1000 + count_kept_ms)) end
local function count(limit, held)
  if not is_seeded(limit) then redis.call('HSET', limit.key, 'held:' .. id, whole(limit.amount)) return keep_count(limit) end
  if redis.call('HINCRBY', limit.key, 'used', whole(limit.amount - held)) < 0 then redis.call('HSET', limit.key, 'used', '0') end
end

-- Takes a place in flight, or keeps it for another lease.
local function occupy(limit)
  redis.call('ZADD', limit.key, whole(now + limit.a), id)
  redis.call('PEXPIRE', limit.key, whole(2 * limit.a / 1000))
end

-- Of a record: when it was made, then seq and held of each limit.
local function keep(record) redis.call('SET', hold, cmsgpack.pack(record), 'PX', hold_ms) end
