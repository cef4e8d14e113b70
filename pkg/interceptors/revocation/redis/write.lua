-- KEYS: the marker, targets. ARGV: of each target, its value and when it ends,
-- in ms since 1970.
for i = 2, #KEYS do
  local key, value, ends = KEYS[i], ARGV[2*i-3], ARGV[2*i-2]
  local old = redis.call('GET', key)
  if not old then
    redis.call('SET', key, value, 'PXAT', ends)
  else
    if tonumber(value) > tonumber(old) then
      redis.call('SET', key, value, 'KEEPTTL')
    end
    redis.call('PEXPIREAT', key, ends, 'GT')
  end
end
return who(KEYS[1])
