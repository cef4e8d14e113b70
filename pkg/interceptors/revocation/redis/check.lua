-- KEYS: the marker, targets.
local answer = who(KEYS[1])
for i = 2, #KEYS do
  answer[#answer+1] = redis.call('GET', KEYS[i])
end
return answer
