-- Keys: entries, then the moments in which their owner and their model were forgotten last.
-- Arguments: the size that no entry exceeds. Answers the moments, then each entry or nothing.
local maxBytes = tonumber(ARGV[1])
local function momentOf(key)
  local moment = redis.pcall('GET', key)
  if type(moment) ~= 'table' then return moment or '' end
  redis.call('DEL', key)
  return ''
end

local answer = { momentOf(KEYS[#KEYS - 1]), momentOf(KEYS[#KEYS]) }
for i = 1, #KEYS - 2 do
  -- What is no text at all, or larger than anything that is put here, is nothing of ours.
  local size = redis.pcall('STRLEN', KEYS[i])
  if type(size) ~= 'number' or size > maxBytes then
    redis.call('DEL', KEYS[i])
    answer[i + 2] = false
  elseif size == 0 then
    answer[i + 2] = false
  else
    answer[i + 2] = redis.call('GET', KEYS[i])
  end
end
return answer
