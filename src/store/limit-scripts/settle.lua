-- Verbs: settle, renew (the time given is when it was made), charge.
local charged_ms = 600000

-- The lows after the reservation sink with the level; those before it cannot stay above what its own has become.
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

-- Puts `amount` in the place of what is held.
local function adjust(limit, seq, held)
  if limit.kind == 'period' then return count(limit, held) end
  if limit.kind == 'flight' then return redis.call('ZREM', limit.key, id) end
  local bucket = drained(limit)
  if limit.amount > held then
    bucket[1] = bucket[1] + (limit.amount - held) * limit.b
  else
    bucket = give_back(bucket, seq, (held - limit.amount) * limit.b)
  end
  save(limit, bucket)
end

if verb == 'charge' then
  if is_out_of_period(now) then return { 2, now, now } end
  -- Once, but for one without an id: the record of a charge is empty.
  if id ~= '' and not redis.call('SET', hold, '', 'NX', 'PX', charged_ms) then return { 0, now } end
  for _, limit in ipairs(limits) do
    -- The ledger has it as well, and that is what seeds the count.
    if limit.kind ~= 'period' or is_seeded(limit) then adjust(limit, 0, 0) end
  end
  return { 1, now }
end

local raw = redis.call('GET', hold)
local record = raw and raw ~= '' and cmsgpack.unpack(raw)

if verb == 'renew' then
  if record then
    redis.call('PEXPIRE', hold, hold_ms)
  else
    -- Everything has been forgotten. Of days and months all is held again. Rates have refilled some of it meanwhile, so
    -- what it uses of them is charged when it is settled.
    record = { moment }
    for i, limit in ipairs(limits) do
      record[2 * i], record[2 * i + 1] = 0, limit.kind == 'period' and limit.amount or 0
      if limit.kind == 'period' then count(limit, 0) end
    end
    keep(record)
  end
  for _, limit in ipairs(limits) do
    if limit.kind == 'flight' and limit.amount > 0 then occupy(limit) end
  end
  return { 1, now }
end

-- settle: only what is held, so once. In the period that it was made in.
if not record then return { 0, now } end
if is_out_of_period(record[1]) then return { 2, now, record[1] } end
-- The record first: what fails half-way is asked for again, and must give back nothing twice.
redis.call('DEL', hold)
for i, limit in ipairs(limits) do adjust(limit, record[2 * i], record[2 * i + 1]) end
return { 1, now }
