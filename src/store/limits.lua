-- The store of counts, one call each: reserve, settle, renew, charge, look. src/store/limits.ts calls it.
-- Rates take the steps of src/domain/rate-bucket.ts, where the reasoning stands; change them together.
--
-- KEYS  1: the reservation's record; then one for each limit. All have the account as their hash tag.
-- ARGV  1: the verb.  2: reserve: not later than this; renew: when it was made.  3: the reservation's id.
--       then five for each limit:  'rate'    size  capacity  period   amount
--                                  'period'  size  from      until    amount
--                                  'flight'  size  lease     0        amount
-- All times are microseconds. Answers {status, now, ...}: 1 done, 0 not done, 2 too late or another period: nothing done.

local verb, sent, id = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local hold = KEYS[1]
local hold_ms, charged_ms, count_kept_ms = 3600000, 600000, 2 * 86400000
local max_marks = 16

-- Redis' clock is the only one: gateways need not agree.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

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

-- Rates. A bucket is a flat list: level, its clock, last seq, then the marks: seq, low, seq, low, ...

local function mark(bucket, seq, low)
  if low > (#bucket > 3 and bucket[#bucket] or 0) then
    bucket[#bucket + 1] = seq
    bucket[#bucket + 1] = low
  end
end

local function drained(limit)
  local raw = redis.call('GET', limit.key)
  local bucket = raw and cmsgpack.unpack(raw) or { 0, now, 0 }
  limit.clock_went_back = now < bucket[2]
  bucket[1] = math.max(0, bucket[1] - math.max(0, now - bucket[2]) * limit.size)
  bucket[2] = now
  local sunk
  while #bucket > 3 and bucket[#bucket] > bucket[1] do
    sunk = bucket[#bucket - 1]
    bucket[#bucket] = nil
    bucket[#bucket] = nil
  end
  if sunk then mark(bucket, sunk, bucket[1]) end
  return bucket
end

local function save(limit, bucket)
  if bucket[1] == 0 then return redis.call('DEL', limit.key) end
  -- Empty is as good as gone. The bound is for a size of 0, which drains nothing.
  local ms = math.min(math.ceil(bucket[1] / limit.size / 1000) + 1, 1e12)
  redis.call('SET', limit.key, cmsgpack.pack(bucket), 'PX', whole(ms))
end

local function rate_wait(limit, level)
  local over = level + limit.amount * limit.b - limit.a * limit.b
  if over <= 0 then return 0 end
  if limit.amount > limit.a or limit.size == 0 then return -1 end
  local us = math.ceil(over / limit.size)
  if us * limit.size < over then us = us + 1 end
  return us > 2 ^ 53 and -1 or us
end

local function give_back(bucket, seq, drops)
  if seq > bucket[3] then return bucket end
  local low = 0
  for i = 4, #bucket, 2 do
    if bucket[i] <= seq then low = bucket[i + 1] end
  end
  local back = math.min(drops, low)
  local fresh = { bucket[1] - back, bucket[2], bucket[3] }
  for i = 4, #bucket, 2 do
    local old = bucket[i + 1]
    mark(fresh, bucket[i], old > low and old - back or math.min(old, low - back))
  end
  return fresh
end

-- Calendar counts and places in flight.

local function count(limit, change)
  if change == 0 then return end
  local sum = redis.call('INCRBY', limit.key, whole(change))
  if sum < 0 then redis.call('SET', limit.key, '0') end
  if sum <= 0 or sum == change then redis.call('PEXPIREAT', limit.key, whole(limit.b / 1000 + count_kept_ms)) end
end

-- A lease that ends later than the longest possible was taken before the clock went back.
local function in_flight(limit)
  return redis.call('ZCOUNT', limit.key, '(' .. whole(now), whole(now + 2 * limit.a))
end

local function occupy(limit)
  redis.call('ZADD', limit.key, whole(now + limit.a), id)
  redis.call('PEXPIRE', limit.key, whole(2 * limit.a / 1000))
end

-- What every verb does with one limit. `measure` changes nothing.

local function measure(limit)
  if limit.kind == 'rate' then
    limit.bucket = drained(limit)
    limit.used = math.ceil(limit.bucket[1] / limit.b)
    limit.wait = rate_wait(limit, limit.bucket[1])
  elseif limit.kind == 'period' then
    limit.used = tonumber(redis.call('GET', limit.key) or 0)
    limit.wait = 0
    if limit.used + limit.amount > limit.size then limit.wait = limit.amount > limit.size and -1 or limit.b - now end
  else
    limit.used = in_flight(limit)
    limit.wait = limit.used + math.min(limit.amount, 1) > limit.size and -1 or 0
  end
end

-- Returns the reservation's seq.
local function take(limit)
  if limit.kind == 'rate' then
    local bucket = limit.bucket
    bucket[1] = bucket[1] + limit.amount * limit.b
    bucket[3] = math.max(now, bucket[3] + 1)
    mark(bucket, bucket[3], bucket[1])
    if #bucket > 3 + 2 * max_marks then
      table.remove(bucket, 6)
      table.remove(bucket, 6)
    end
    save(limit, bucket)
    limit.used = math.ceil(bucket[1] / limit.b)
    return bucket[3]
  end
  if limit.kind == 'period' then
    count(limit, limit.amount)
    limit.used = limit.used + limit.amount
  elseif limit.amount > 0 then
    if limit.used < redis.call('ZCARD', limit.key) then
      redis.call('ZREMRANGEBYSCORE', limit.key, '-inf', whole(now))
      redis.call('ZREMRANGEBYSCORE', limit.key, '(' .. whole(now + 2 * limit.a), '+inf')
    end
    occupy(limit)
    limit.used = limit.used + 1
  end
  return 0
end

-- Puts `amount` in the place of what is held.
local function adjust(limit, seq, held)
  if limit.kind == 'rate' then
    local bucket = drained(limit)
    if limit.amount > held then
      bucket[1] = bucket[1] + (limit.amount - held) * limit.b
    else
      bucket = give_back(bucket, seq, (held - limit.amount) * limit.b)
    end
    save(limit, bucket)
  elseif limit.kind == 'period' then
    count(limit, limit.amount - held)
  end
end

-- The record: when it was made, then seq and held of each limit. Of a charge it is empty.
local record
if verb == 'settle' or verb == 'renew' then
  local raw = redis.call('GET', hold)
  record = raw and raw ~= '' and cmsgpack.unpack(raw)
  if verb == 'settle' and not record then return { 0, now } end
end

-- Late: the caller has given up, or means another period than it is. It may ask again with the right time.
local moment = record and record[1] or now
if verb == 'reserve' and now > sent then return { 2, now, moment } end
for _, limit in ipairs(limits) do
  if verb ~= 'renew' and limit.kind == 'period' and (moment < limit.a or moment >= limit.b) then
    return { 2, now, moment }
  end
end

if verb == 'settle' then
  for i, limit in ipairs(limits) do
    if limit.kind == 'flight' then
      redis.call('ZREM', limit.key, id)
    else
      adjust(limit, record[2 * i], record[2 * i + 1])
    end
  end
  redis.call('DEL', hold)
  return { 1, now }
end

if verb == 'renew' then
  if record then
    redis.call('PEXPIRE', hold, hold_ms)
  else
    -- Everything has been forgotten. Nothing is held any more, so all that it uses is charged when it is settled.
    record = { sent }
    for i = 1, #limits do
      record[2 * i], record[2 * i + 1] = 0, 0
    end
    redis.call('SET', hold, cmsgpack.pack(record), 'PX', hold_ms)
  end
  for _, limit in ipairs(limits) do
    if limit.kind == 'flight' and limit.amount > 0 then occupy(limit) end
  end
  return { 1, now }
end

if verb == 'charge' then
  if not redis.call('SET', hold, '', 'NX', 'PX', charged_ms) then return { 0, now } end
  for _, limit in ipairs(limits) do adjust(limit, 0, 0) end
  return { 1, now }
end

-- reserve and look: first all limits are measured, then all are taken, or none.
local fits = true
for _, limit in ipairs(limits) do
  measure(limit)
  fits = fits and limit.wait == 0
end
if verb == 'reserve' and fits then
  record = { now }
  for i, limit in ipairs(limits) do
    record[2 * i], record[2 * i + 1] = take(limit), limit.amount
  end
  redis.call('SET', hold, cmsgpack.pack(record), 'PX', hold_ms)
end
local answer = { fits and 1 or 0, now }
for _, limit in ipairs(limits) do
  -- Else a denied caller would wait until the clock is again where it once was.
  if verb == 'reserve' and not fits and limit.clock_went_back then save(limit, limit.bucket) end
  answer[#answer + 1] = limit.used
  answer[#answer + 1] = limit.wait
end
return answer
