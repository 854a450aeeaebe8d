-- Verbs: running (which reservations have been noted in counts that wait to be seeded), seed (with what was used before; in
-- the place of a time there is how many were noted when it was found out).

local answer = { 1, now }
for _, limit in ipairs(limits) do
  if limit.kind == 'period' and not is_seeded(limit) then
    for _, field in ipairs(redis.call('HKEYS', limit.key)) do answer[#answer + 1] = string.sub(field, 6) end
  end
end
if verb == 'running' then return answer end

-- Fewer than then: all was forgotten meanwhile, and what was used is to be found out once more.
if is_out_of_period(now) or #answer - 2 < moment then return { 0, now } end
for _, limit in ipairs(limits) do
  if limit.kind == 'period' and not is_seeded(limit) then
    local used = limit.amount
    for _, held in ipairs(redis.call('HVALS', limit.key)) do used = used + tonumber(held) end
    redis.call('DEL', limit.key)
    redis.call('HSET', limit.key, 'used', whole(used), 'seeded', '1')
    keep_count(limit)
  end
end
return { 1, now }
