-- KEYS: the marker, the filling. ARGV: the server that was filled, a name of
-- the filling.
local answer = who(KEYS[1])
if redis.call('DEL', KEYS[2]) == 0 then
  return answer
end
if answer[2] == '' and answer[4] == ARGV[1] then
  answer[3] = ARGV[1] .. ':' .. ARGV[2]
  redis.call('SET', KEYS[1], answer[3])
end
return answer
