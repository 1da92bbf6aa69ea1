-- decision.py inside Redis, function by function; read that. A test compares what both grant.
-- KEYS[1]: the state of a limit. ARGV[1]: a report, as JSON. Returns the grant, as JSON.

local EPSILON, BUCKETS, PLENTY = 1e-6, 200, 1e9
local LEASE, SEEN = 5.0, 60.0
local POLL, LONGEST_QUICK_POLL, LONGEST_POLL, SHORTEST_POLL, SOON, GRACE = 0.025, 0.1, 1.0, 0.002, 0.05, 0.25
local BUSY, LONGEST_SPREAD, LATE = 60.0, 3600.0, 0.1
local FIRST_BLOCK, LONGEST_BLOCK = 1.0, 60.0
local FIRST_FLIGHT, FULL_SPEED = 64, 512
local LEAST_SHARE, SHOWN = 2, 60.0
local QUIET_PERIODS, GROWTH, PAUSE = 5, 1.1, 0.25
local KEPT_AFTER = 86400.0 -- seconds that the key outlives the longest window

local min, max, floor = math.min, math.max, math.floor

local function new_learned(ramp)
  return {opened = -1, accepted = 0, rejected = -1, quiet = 0, ramp = ramp, limit = 0, seconds = 0, entries = {}}
end

local function new_shown(told)
  return {told = told, limit = 0, seconds = SHOWN, entries = {}}
end

local function new_state(born)
  return {
    born = born, now = 0, workers = {}, logs = {}, blocked = 0, blocks = 0, accepted = -1, left = -1, resets = 0, told = -1,
    turn = 0, quick = -PLENTY, paced = 0, shown = new_shown(-1),
    learned = new_learned(FIRST_FLIGHT),
  }
end

local function sorted_names(workers)
  local names = {}
  for name in pairs(workers) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- what the report says

local function add(entries, seconds, at, amount, now)
  if amount <= 0 or at + seconds <= now then return end
  local newest = entries[#entries]
  if newest and at < newest[1] + seconds / BUCKETS then
    newest[2] = max(newest[2], at)
    newest[3] = newest[3] + amount
  else
    entries[#entries + 1] = {at, at, amount}
  end
end

local function log_of(state, seconds, in_minutes)
  for _, log in ipairs(state.logs) do
    if log.seconds == seconds and log.minutes == in_minutes then return log end
  end
  local log = {seconds = seconds, minutes = in_minutes, entries = {}}
  state.logs[#state.logs + 1] = log
  return log
end

local function count(state, at, requests, minutes)
  for _, log in ipairs(state.logs) do
    add(log.entries, log.seconds, at, log.minutes == 1 and minutes or requests, state.now)
  end
  local learned = state.learned
  if learned.limit > 0 then add(learned.entries, learned.seconds, at, requests, state.now) end
  local shown = state.shown
  local declared = false
  for _, log in ipairs(state.logs) do declared = declared or log.minutes == 0 end
  if shown.limit > 0 or not declared then add(shown.entries, shown.seconds, at, requests, state.now) end
  if state.left >= 0 then state.left = max(0, state.left - requests) end
end

local function expire(state, now)
  for _, name in ipairs(sorted_names(state.workers)) do
    local worker = state.workers[name]
    if worker.expires <= now and worker.slots + worker.minutes > 0 then
      count(state, worker.expires, worker.slots, worker.minutes)
      worker.slots, worker.minutes = 0, 0
    end
    if worker.expires + SEEN <= now then state.workers[name] = nil end
  end
end

local function accept(state, now, at, requests)
  if now >= state.blocked then
    state.blocks = 0
    state.accepted = max(state.accepted, at)
  end
  local learned = state.learned
  learned.accepted = learned.accepted + requests
  if learned.ramp >= 0 then
    learned.ramp = learned.ramp + requests
    if learned.ramp >= FULL_SPEED then learned.ramp = -1 end
  end
end

local function tell(state, now, told)
  local age, remaining, reset_in, limit = told[1], told[2], told[3], told[4]
  if now - age < state.told then return end
  state.told = now - age
  if remaining >= 0 then
    state.left = remaining
    state.learned = new_learned(-1)
  end
  if reset_in >= 0 then state.resets = now - age + reset_in end
  if remaining >= 0 and reset_in > 0 then
    if limit ~= state.shown.told and state.shown.limit > 0 then state.shown = new_shown(limit) end
    local shown = state.shown
    shown.seconds = shown.limit == 0 and reset_in or max(shown.seconds, reset_in)
    shown.told, shown.limit = limit, max(shown.limit, limit, remaining + 1)
  end
end

local function learn(learned, until_, now)
  learned.quiet = now
  local rejected, opened = learned.rejected, learned.opened
  learned.rejected, learned.opened = -1, -1
  if opened < 0 then return end
  local period = max(until_ - opened, 0.001)
  if learned.accepted == 0 then
    if learned.limit > 0 then learned.seconds = learned.seconds + period else learned.ramp = 1 end
    return
  end
  learned.ramp = -1
  if learned.limit == 0 then
    learned.limit, learned.seconds = learned.accepted, period
  elseif period > learned.seconds then
    local held = 0
    for _, entry in ipairs(learned.entries) do
      if entry[2] + learned.seconds > rejected then held = held + entry[3] end
    end
    learned.limit = max(1, min(learned.limit, held))
  elseif learned.accepted / period < learned.limit / learned.seconds then
    learned.limit, learned.seconds, learned.entries = learned.accepted, period, {}
  end
end

local function take(state, report, now)
  for _, window in ipairs(report.windows) do
    log_of(state, window[2], window[3])
    local learned = state.learned
    if window[3] == 0 and learned.opened < 0 and learned.ramp == FIRST_FLIGHT then learned.ramp = -1 end
  end
  local me = state.workers[report.worker]
  if not me then
    me = {slots = 0, minutes = 0, tag = state.turn, asks = {0, 0, 0}, ["until"] = 0, expires = 0, seq = -1, polls = 0}
    state.workers[report.worker] = me
  end
  me.expires = now + LEASE
  me.slots, me.minutes = report.holds[1], report.holds[2]
  if report.seq ~= me.seq then
    me.seq = report.seq
    for _, entry in ipairs(report.settled) do
      count(state, now - entry[1], entry[2], entry[3])
      accept(state, now, now - entry[1], entry[2])
    end
  end
  if report.quick == 1 or report.ask[1][1] > 0 then state.quick = now end
  if #report.told > 0 then tell(state, now, report.told) end
  if report.gate > 0 then state.blocked = max(state.blocked, now + report.gate) end
  if #report.rejected > 0 then
    local seconds = report.rejected[1]
    if now >= state.blocked then state.blocks = state.blocks + 1 end
    if seconds < 0 then seconds = min(LONGEST_BLOCK, FIRST_BLOCK * 2 ^ min(state.blocks - 1, 10)) end
    state.blocked = max(state.blocked, now + seconds)
    if state.learned.rejected < 0 then state.learned.rejected = now end
  end
  if state.learned.rejected >= 0 and now >= state.blocked then learn(state.learned, state.blocked, now) end
  return me
end

-- what there is to grant

local function drop_old(entries, seconds, now)
  local old = 0
  while old < #entries and entries[old + 1][2] + seconds <= now do old = old + 1 end
  if old == 0 then return entries end
  local kept = {}
  for i = old + 1, #entries do kept[#kept + 1] = entries[i] end
  return kept
end

local function sum(entries)
  local total = 0
  for _, entry in ipairs(entries) do total = total + entry[3] end
  return total
end

local function share_of(report, limit)
  if report.share == 0 then return 0 end
  return min(floor(limit / 2), max(LEAST_SHARE, math.ceil(report.share * limit)))
end

local function find_bounds(state, report, now)
  local held, held_minutes = 0, 0
  for _, name in ipairs(sorted_names(state.workers)) do
    held = held + state.workers[name].slots
    held_minutes = held_minutes + state.workers[name].minutes
  end
  local keeps = now - state.quick < report.kept_sec
  local bounds = {}
  local function bound(limit, free, kept, in_minutes, seconds, entries, bulk)
    bounds[#bounds + 1] = {bulk = bulk, limit = limit, free = free, kept = kept, in_minutes = in_minutes, seconds = seconds, entries = entries}
  end
  for _, log in ipairs(state.logs) do log.entries = drop_old(log.entries, log.seconds, now) end
  for _, window in ipairs(report.windows) do
    local entries = log_of(state, window[2], window[3]).entries
    local free = window[1] - sum(entries) - (window[3] == 1 and held_minutes or held)
    bound(window[1], free, keeps and max(window[4], window[5]) or window[5], window[3] == 1, window[2], entries)
  end
  local learned = state.learned
  if learned.ramp >= 0 then bound(0, learned.ramp - held, 0, false, 0, {}) end
  if learned.limit > 0 then
    if now - max(learned.quiet, state.quick + BUSY) > QUIET_PERIODS * learned.seconds then
      learned.limit, learned.quiet = math.ceil(learned.limit * GROWTH), now
    end
    if learned.rejected < 0 then learned.entries = drop_old(learned.entries, learned.seconds, now) end
    local free = learned.limit - held - sum(learned.entries)
    local kept = keeps and share_of(report, learned.limit) or 0
    bound(learned.limit, free, kept, false, learned.seconds, learned.entries)
  end
  if state.left >= 0 then
    local free, entries = state.left - held, {}
    local kept = keeps and now < state.resets and share_of(report, state.shown.limit) or 0
    if held == 0 and free < 1 then
      entries = {{0, state.resets, PLENTY}}
      free = now >= state.resets and 1 or 0
    end
    bound(0, free, kept, false, 0, entries)
  end
  local shown = state.shown
  if shown.limit > 0 and (keeps or shown.told > 0) then
    shown.entries = drop_old(shown.entries, shown.seconds, now)
    local free, kept = shown.limit - held - sum(shown.entries), keeps and share_of(report, shown.limit) or 0
    bound(shown.limit, free, kept, false, shown.seconds, shown.entries, shown.told <= 0)
  end
  return bounds
end

local function less(bounds, slots, minutes)
  local found = {}
  for i, b in ipairs(bounds) do
    found[i] = {
      bulk = b.bulk, limit = b.limit, free = b.free - (b.in_minutes and minutes or slots),
      kept = b.kept, in_minutes = b.in_minutes, seconds = b.seconds, entries = b.entries,
    }
  end
  return found
end

local function slots_of(bounds, minutes, bulk)
  local found = PLENTY
  for _, b in ipairs(bounds) do
    local each = b.in_minutes and minutes or 1
    if each > 0 and (bulk or not b.bulk) then found = min(found, floor((b.free - (bulk and b.kept or 0) + EPSILON) / each)) end
  end
  return max(0, found)
end

local function wait_for(bounds, slots, minutes, now, bulk)
  local longest = 0
  for _, b in ipairs(bounds) do
    if bulk or not b.bulk then
      local missing = slots * (b.in_minutes and minutes or 1) - b.free + (bulk and b.kept or 0)
      for _, entry in ipairs(b.entries) do
        if missing <= EPSILON then break end
        missing = missing - entry[3]
        longest = max(longest, entry[2] + b.seconds - now)
      end
      if missing > EPSILON then return -1 end
    end
  end
  return longest
end

local function pace_of(bounds, now)
  local longest = 0
  for _, b in ipairs(bounds) do
    if not b.in_minutes and 0 < b.seconds and b.seconds <= LONGEST_SPREAD and b.free <= b.limit / 2 then
      local usable = max(1, b.free - b.kept)
      for _, entry in ipairs(b.entries) do
        longest = max(longest, (entry[2] + b.seconds - now) / usable)
        usable = usable + entry[3]
      end
      longest = max(longest, b.seconds / usable)
    end
  end
  return longest
end

local function turns(tag, rivals, wanted, room)
  local least, most = 0, floor(min(wanted, room))
  while least < most do
    local middle = floor((least + most + 1) / 2)
    local given = middle
    for _, rival in ipairs(rivals) do given = given + min(rival[2], max(0, tag + middle - 1 - rival[1])) end
    if given <= room then least = middle else most = middle - 1 end
  end
  return least
end

local function decide(state, report, elapsed)
  local now = state.now + max(0, elapsed)
  state.now = now
  expire(state, now)
  local me = take(state, report, now)
  local workers, waiting = 0, {}
  for _, name in ipairs(sorted_names(state.workers)) do
    workers = workers + 1
    local other = state.workers[name]
    if name ~= report.worker and other["until"] > now then waiting[#waiting + 1] = other end
  end
  local bounds = find_bounds(state, report, now)
  local quick, quick_minutes = report.ask[1][1], report.ask[1][3]
  local need, spare, minutes = report.ask[2][1], report.ask[2][2], report.ask[2][3]
  local gate = max(0, state.blocked - now)

  local fast = gate > 0 and 0 or floor(min(quick, slots_of(bounds, quick_minutes, false)))
  bounds = less(bounds, fast, fast * quick_minutes)
  local unmet, unmet_minutes = quick - fast, (quick - fast) * quick_minutes
  local others, others_minutes = 0, 0
  for _, other in ipairs(waiting) do
    others = others + other.asks[1]
    others_minutes = others_minutes + other.asks[1] * other.asks[3]
  end
  unmet, unmet_minutes = unmet + others, unmet_minutes + others_minutes
  local after = less(bounds, unmet, unmet_minutes)

  if need + spare > 0 and not (me["until"] > now and me.asks[2] > 0) then me.tag = max(me.tag, state.turn) end
  local rivals, rivals_want = {}, 0
  for _, other in ipairs(waiting) do
    if other.asks[2] > 0 and other["until"] - GRACE <= now + SOON then
      rivals[#rivals + 1] = {other.tag, other.asks[2]}
      rivals_want = rivals_want + other.asks[2]
    end
  end
  local pace = now - state.quick < BUSY and pace_of(after, now) or 0
  local room = gate > 0 and 0 or floor(slots_of(after, minutes, true))
  if pace > 0 then
    state.paced = max(state.paced, now - LATE)
    room = min(room, max(0, floor((now - state.paced) / pace)))
  end
  local slow = turns(me.tag, rivals, need, room)
  local rest = room - slow - rivals_want
  if slow == need and rest > 0 then slow = slow + floor(min(spare, floor(rest / (4 * workers)))) end
  if slow > 0 then
    state.turn = max(state.turn, me.tag)
    me.tag = me.tag + slow
    if pace > 0 then state.paced = state.paced + slow * pace end
  end
  me.slots = me.slots + fast + slow
  me.minutes = me.minutes + fast * quick_minutes + slow * minutes
  if fast + slow > 0 then
    local held = me.slots - fast - slow
    for _, name in ipairs(sorted_names(state.workers)) do
      if name ~= report.worker then held = held + state.workers[name].slots end
    end
    local paused = state.learned.limit == 0 and held == 0 and now - state.accepted > PAUSE
    if state.learned.opened < 0 or paused then
      state.learned.opened, state.learned.accepted = now, 0
    end
  end

  local before_me = 0
  for _, rival in ipairs(rivals) do before_me = before_me + min(rival[2], max(0, me.tag - rival[1])) end
  local waits = {
    wait_for(bounds, 1, quick_minutes, now, false),
    wait_for(after, slow + 1 + before_me, minutes, now, true),
  }
  if pace > 0 and waits[2] >= 0 then waits[2] = max(waits[2], state.paced + (1 + before_me) * pace - now) end
  for i, wait in ipairs(waits) do
    if not (wait < 0 and gate == 0) then waits[i] = max(gate, wait) end
  end
  me.asks = {quick - fast, max(0, need - slow), quick_minutes}
  me.polls = fast + slow > 0 and 0 or min(7, me.polls + 1)
  local poll = POLL * 2 ^ max(0, me.polls - 4)
  local polls = {min(poll, LONGEST_QUICK_POLL), poll}
  local again = LONGEST_POLL
  for i, wait in ipairs(waits) do
    if me.asks[i] > 0 then again = min(again, wait < 0 and polls[i] or max(SHORTEST_POLL, wait)) end
  end
  me["until"] = now + again + GRACE
  local free = {}
  for i = 1, #report.windows do free[i] = bounds[i].free - slow * (bounds[i].in_minutes and minutes or 1) end
  return {
    slots = {fast, slow}, wait = waits, again = again, gate = gate,
    tight = unmet > 0 or need > slow or rest <= 0,
    free = free,
    accepted = state.accepted >= 0 and now - state.accepted or -1,
    workers = workers, born = state.born, age = now,
  }
end

-- Redis' clock is the clock of all machines. It may be put back: then no time has passed.
local time = redis.call("TIME")
local clock = tonumber(time[1]) + tonumber(time[2]) / 1e6
local stored = redis.call("GET", KEYS[1])
local report = cjson.decode(ARGV[1])
local state = stored and cmsgpack.unpack(stored) or new_state(clock)
local elapsed = state.clock and clock - state.clock or 0
if ARGV[2] then elapsed = tonumber(ARGV[2]) end -- a test's
state.clock = clock
local grant = decide(state, report, elapsed)
local longest = 0
for _, window in ipairs(state.logs) do longest = max(longest, window.seconds) end
redis.call("SET", KEYS[1], cmsgpack.pack(state), "PX", floor((longest + KEPT_AFTER) * 1000))
return cjson.encode(grant)
