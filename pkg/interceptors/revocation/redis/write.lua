-- KEYS: targets. ARGV: of each, its value and when it ends, in ms since 1970.
for i, key in ipairs(KEYS) do
  local value, ends = ARGV[2*i-1], ARGV[2*i]
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
return #KEYS
