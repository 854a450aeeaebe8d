-- Verbs: reserve (not later than the time given), adopt (what ran elsewhere: nothing is refused), look.

-- Step 1. Late: the caller has given up, or means another period. It may ask again with the right time.
if (verb == 'reserve' and now > moment) or is_out_of_period(now) then return { 2, now, now } end
if verb == 'adopt' and redis.call('EXISTS', hold) == 1 then return { 0, now } end

-- Step 2. How much of each limit is used, and how long until it alone would let this in; -1 where no time helps.
local function rate_wait(limit, level)
  local over = level + limit.amount * limit.b - limit.a * limit.b
  if over <= 0 then return 0 end
  if limit.amount > limit.a or limit.size == 0 then return -1 end
  local us = math.ceil(over / limit.size)
  if us * limit.size < over then us = us + 1 end
  return us > 2 ^ 53 and -1 or us
end
local fits = true
for _, limit in ipairs(limits) do
  if limit.kind == 'rate' then
    limit.bucket = drained(limit)
    limit.used, limit.wait = math.ceil(limit.bucket[1] / limit.b), rate_wait(limit, limit.bucket[1])
  elseif limit.kind == 'period' then
    local known = redis.call('HMGET', limit.key, 'used', 'seeded')
    if not known[2] and verb ~= 'adopt' then return { 3, now } end
    limit.used = tonumber(known[1] or 0)
    limit.wait = limit.used + limit.amount <= limit.size and 0 or limit.amount > limit.size and -1 or limit.b - now
  else
    -- A lease that ends later than the longest possible was taken before the clock went back.
    limit.used = redis.call('ZCOUNT', limit.key, '(' .. whole(now), whole(now + 2 * limit.a))
    limit.wait = limit.used + math.min(limit.amount, 1) > limit.size and -1 or 0
  end
  fits = fits and limit.wait == 0
end

-- Step 3. All of them, or none.
local function take(limit)
  if limit.kind == 'rate' then
    local bucket = limit.bucket
    bucket[1], bucket[3] = bucket[1] + limit.amount * limit.b, math.max(now, bucket[3] + 1)
    mark(bucket, bucket[3], bucket[1])
    -- At most 16 marks: who stands least above the one before goes, and its reservations fall to that one's low.
    if #bucket > 35 then
      local least = 7
      for i = 9, #bucket, 2 do if bucket[i] - bucket[i - 2] < bucket[least] - bucket[least - 2] then least = i end end
      table.remove(bucket, least) table.remove(bucket, least - 1)
    end
    save(limit, bucket)
    limit.used = math.ceil(bucket[1] / limit.b)
    return bucket[3]
  elseif limit.kind == 'period' then
    count(limit, 0)
    limit.used = limit.used + limit.amount
  elseif limit.amount > 0 then
    redis.call('ZREMRANGEBYSCORE', limit.key, '-inf', whole(now))
    occupy(limit)
    limit.used = limit.used + 1
  end
  return 0
end

if verb == 'adopt' or (verb == 'reserve' and fits) then
  local record = { now }
  for i, limit in ipairs(limits) do record[2 * i], record[2 * i + 1] = take(limit), limit.amount end
  keep(record)
end

-- Step 4. The state of each limit. What is used is kept for as long as it takes to leak, also where a limit was lowered; and
-- nobody waits until a clock that went back is there again.
local answer = { fits and 1 or 0, now }
for _, limit in ipairs(limits) do
  if verb == 'reserve' and not fits and limit.bucket then save(limit, limit.bucket) end
  answer[#answer + 1], answer[#answer + 2] = limit.used, limit.wait
end
return answer
