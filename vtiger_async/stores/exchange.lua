-- The rules of vtiger_async/quota/lending.py, for Redis: a test holds the two to the same answers.
-- KEYS[1]: the state. ARGV: the message as JSON, the constants as JSON, factor and epoch of the clock.
local m, c = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local factor, epoch = tonumber(ARGV[3]), tonumber(ARGV[4])
local t = redis.call('TIME')
local now = epoch + (tonumber(t[1]) + tonumber(t[2]) / 1e6 - epoch) * factor
local NONE, DAY, floor, ceil = cjson.null, 86400, math.floor, math.ceil
local min, max, INF = math.min, math.max, math.huge

local function window(name, span, step)
    return {name = name, span = span, step = step, limit = false, told = false, counts = {},
            left = false, sent_at = 0, ends_at = 0}
end
local kept = redis.call('GET', KEYS[1])
local f = kept and cmsgpack.unpack(kept) or {
    at = 0, born = 0, loans = {}, queue = {}, urgent = window('minute', 120, 5),
    windows = {window('minute', 60, 0.25), window('hour', 3600, 15), window('day', DAY, 300)},
    blocked_until = 0, blamed = 'minute', paced_at = 0, passed = 0, probes = 0, probed_at = 0,
    heard = false}
local minute, hour = f.windows[1], f.windows[2]

local function leaves(w, i, utc)
    local ends = (w.counts[i][1] + 1) * w.step
    return utc and ceil(ends / DAY) * DAY or ends + w.span + c.margin
end
local function total(w)
    local sum = 0
    for _, entry in ipairs(w.counts) do sum = sum + entry[2] end
    return sum
end
local function used(w, utc)
    while w.counts[1] and leaves(w, 1, utc) <= now do table.remove(w.counts, 1) end
    return total(w)
end
local function add(w, at, calls)
    local step, i = floor(at / w.step), #w.counts
    while i > 0 and w.counts[i][1] > step do i = i - 1 end
    if i > 0 and w.counts[i][1] == step then
        w.counts[i][2] = w.counts[i][2] + calls
    else
        table.insert(w.counts, i + 1, {step, calls})
    end
end
local function frees_in(w, excess, utc)
    for i, entry in ipairs(w.counts) do
        excess = excess - entry[2]
        if excess <= 0 then return leaves(w, i, utc) - now end
    end
    return 0
end
local function count(at, calls)
    if calls > 0 then for _, w in ipairs(f.windows) do add(w, at, calls) end end
end
local function out()
    local sum = 0
    for _, loan in pairs(f.loans) do sum = sum + loan[1] end
    return sum
end

-- exchange
if f.at - 300 < now and now < f.at then now = f.at end
if now - f.at > c.silent then minute.ends_at = min(minute.ends_at, now) end
f.at = now
if f.born == 0 then f.born = now end

-- settle
for member, loan in pairs(f.loans) do
    if now - loan[2] > c.loan and loan[1] > 0 then
        count(loan[2] + c.loan, loan[1])
        loan[1] = 0
    end
    if now - loan[2] > c.member then f.loans[member] = nil end
end
local loan = f.loans[m.member] or {0, now}
f.loans[m.member] = loan
loan[2] = now
for _, told in ipairs(m.used) do
    local known = min(told[2], loan[1])
    loan[1] = loan[1] - known
    count(now - told[1], known)
end
for _, told in ipairs(m.extra) do count(now - told[1], told[2]) end
local back = min(m.unused, loan[1])
loan[1] = loan[1] - back
for i, w in ipairs(f.windows) do
    if w.left then w.left = w.left + back end
    local told = m.limits[i]
    if told ~= NONE and told ~= w.told then w.limit, w.told = told, told end
end
for _, w in ipairs(f.windows) do used(w, m.utc and w.name == 'day') end

-- block
if m.refused ~= NONE then
    local wait, blamed = m.refused[1], m.refused[2]
    local known = total(hour) - 1
    if blamed == 'hour' and now >= f.blocked_until and known >= 1 then
        hour.limit = hour.limit and min(hour.limit, known) or known
    end
    if now + wait > f.blocked_until then f.blocked_until, f.blamed = now + wait, blamed end
end

-- believe
f.heard = f.heard or #m.used > 0
local function believe(i, limit, remaining, ends_at, age)
    local w = f.windows[i]
    if limit ~= NONE then w.limit = limit end
    if remaining == NONE then return end
    local left, sent_at = remaining - out(), now - age
    if not w.left or now >= w.ends_at or sent_at >= w.sent_at or left < w.left then
        w.left, w.sent_at, w.ends_at = left, sent_at, ends_at
        if i == 1 then f.probes = 0 end
    end
end
if m.seen ~= NONE then
    local seen = m.seen
    local reset = seen[4] == NONE and 60 or seen[4]
    believe(1, seen[2], seen[3], now + reset + c.margin, seen[1])
    believe(3, seen[5], seen[6], m.utc and floor(now / DAY + 1) * DAY or now + 900, seen[1])
end

-- room
local room, free_in, binding, lent_out = INF, 0, 'minute', out()
for _, w in ipairs(f.windows) do
    local utc, free, later = m.utc and w.name == 'day', INF, 0
    if w.limit then
        local limit = w.limit
        if w.name == 'day' then limit = max(1, floor(limit * (1 - m.reserve))) end
        free = limit - lent_out - total(w)
        if free < 1 then later = frees_in(w, 1 - free, utc) end
    end
    if w.left and now < w.ends_at and w.left < free then
        free = w.left
        if free < 1 then later = max(later, w.left + lent_out < 1 and w.ends_at - now or 0) end
    end
    if free < room then room = free end
    if later > free_in then free_in, binding = later, w.name end
end
if now < f.blocked_until then
    room, free_in, binding = 0, max(free_in, f.blocked_until - now), f.blamed
end

-- lend
local asking
if minute.left then asking = now >= minute.ends_at else asking = not f.heard end
if asking then
    if f.probes >= c.probes and now - f.probed_at > c.late then f.probes = 0 end
    room = min(room, c.probes - f.probes)
end
local queue = {}
for _, place in ipairs(f.queue) do
    if place[3] > now and f.loans[place[2]] then queue[#queue + 1] = place end
end
f.queue = queue

local function urgent()
    return used(f.urgent) / min(max(now - f.born, c.least_seen), f.urgent.span)
end
local function gap_of()
    local rate = INF
    for _, w in ipairs(f.windows) do
        if w.limit and (w.name ~= 'day' or m.even) then
            rate = min(rate, c.ahead * max(1, w.limit) / w.span)
        end
    end
    if rate == INF then return 0 end
    return 1 / max(rate - urgent(), rate * c.least_share)
end
local function kept_back()
    local dry = minute.counts[1] and frees_in(minute, 1) or c.soon
    local soon = urgent() * min(dry, c.soon)
    return max((soon > 0 and dry > 1) and 1 or 0, floor(soon + 1.5 * math.sqrt(soon)))
end
local function enqueue(rank, ends)
    for _, place in ipairs(f.queue) do
        if place[2] == m.member and place[1] == rank then place[3] = ends return end
    end
    f.queue[#f.queue + 1] = {rank, m.member, ends}
end
local function turn()
    local rank, before, higher, lower, found = m.rank, 0, false, false, false
    for _, place in ipairs(f.queue) do
        if place[2] == m.member and place[1] == rank then found = true end
        if not found and place[1] == rank then before = before + 1 end
        higher = higher or place[1] < rank
        lower = lower or place[1] > rank
    end
    local due, gap = f.passed >= c.turn, gap_of()
    local spare, chunk = rank > 0 and room - kept_back() or room, m.want
    if rank == 2 and gap > 0 then chunk = min(chunk, max(1, floor(c.chunk / gap))) end
    local wait = max(free_in, rank == 2 and f.paced_at - now or 0, 0.2)
    if due and not lower then
        spare, chunk, wait = room, 1, 0.2
    elseif due then
        spare = room - 1
    end
    local may = due or not higher
    if rank < 2 then
        spare = spare - before
    elseif not due then
        may = may and now >= f.paced_at + before * c.over
    end
    local need = (rank == 2 and not due) and min(c.few, chunk) or 1
    if not may or spare < need then
        if spare < need then wait = max(wait, frees_in(minute, ceil(need - spare))) end
        if rank == 2 then wait = wait + before * c.over end
        wait = min(max(wait, c.least), c.most)
        enqueue(rank, now + wait + c.place)
        return 0, wait
    end
    local lent = floor(min(chunk, rank == 2 and spare or max(1, spare * c.part)))
    local left = {}
    for _, place in ipairs(f.queue) do
        if not (place[2] == m.member and place[1] == rank) then left[#left + 1] = place end
    end
    f.queue = left
    f.passed = lower and f.passed + lent or 0
    if rank == 0 then
        add(f.urgent, now, min(lent, m.waiting))
    elseif rank == 2 then
        f.paced_at = max(f.paced_at, now - c.chunk) + lent * gap
    end
    return lent, 0
end

local lent, ask_in = 0, free_in
if m.want > 0 then lent, ask_in = turn() end
loan[1] = loan[1] + lent
for _, w in ipairs(f.windows) do if w.left then w.left = w.left - lent end end
if asking and lent > 0 then f.probes, f.probed_at = f.probes + lent, now end
local sums, limits, members = {}, {}, 0
for i, w in ipairs(f.windows) do
    sums[i], limits[i] = total(w) + out(), w.limit or NONE
end
for _ in pairs(f.loans) do members = members + 1 end
redis.call('SET', KEYS[1], cmsgpack.pack(f), 'PX', c.keep)
return cjson.encode({lent = lent, ask_in = min(max(ask_in, c.least), c.most), free_in = free_in,
                     window = binding, probing = asking, members = members, used = sums,
                     limits = limits})
