-- KEYS: the filling, the marker. ARGV: the run that was filled.
if redis.call('DEL', KEYS[1]) == 0 then
  return 0
end
redis.call('SET', KEYS[2], ARGV[1])
return 1
