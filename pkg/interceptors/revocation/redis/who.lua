-- Precedes every script: the server says in the same breath who it is, why it
-- must not be asked ('' if it may), and the marker, if it is of this server
-- and nothing was evicted since ('' if not).
local function who(marker)
  local info = redis.call('INFO', 'server', 'replication', 'stats', 'memory')
  local function field(name)
    return string.match(info, '\n' .. name .. ':([%w-]+)') or ''
  end
  local run, replid, evicted = field('run_id'), field('master_replid'), field('evicted_keys')
  local id, bad = run .. ':' .. replid, ''
  local stamp = id .. ':' .. evicted
  if run == '' or replid == '' or evicted == '' then
    bad = 'the server does not say which run it is'
  elseif field('role') ~= 'master' then
    bad = 'the server is not a primary'
  elseif field('maxmemory_policy') ~= 'noeviction' then
    bad = 'maxmemory_policy is not noeviction: rules could be evicted'
    redis.pcall('DEL', marker)
  end
  local filled = bad == '' and redis.call('GET', marker) or ''
  if string.sub(filled, 1, #stamp + 1) ~= stamp .. ':' then
    filled = ''
  end
  return {id, bad, filled, stamp}
end
