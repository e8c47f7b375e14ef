-- The rules of vtiger_async/quota/lending.py, for Redis: a test holds the two to the same answers.
-- KEYS[1]: the state. ARGV: the message as JSON, the constants as JSON, factor and epoch of the clock.
local m, c = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local factor, epoch = tonumber(ARGV[3]), tonumber(ARGV[4])
local t = redis.call('TIME')
local now = epoch + (tonumber(t[1]) + tonumber(t[2]) / 1e6 - epoch) * factor
local NONE, DAY, floor, ceil = cjson.null, 86400, math.floor, math.ceil
local min, max, sqrt, INF = math.min, math.max, math.sqrt, math.huge

local function tally(name, span, step)
    return {name = name, span = span, step = step, limit = false, told = false, counts = {},
            left = false, sent_at = 0, ends_at = 0}
end
local kept = redis.call('GET', KEYS[1])
local f = kept and cmsgpack.unpack(kept) or {
    version = c.version, at = 0, born = 0, loans = {}, urgent = tally('minute', 120, 5),
    others = tally('minute', 900, 1), sliding = false, whole = false, reset_at = 0,
    windows = {tally('minute', 60, 0.25), tally('hour', 3600, 15), tally('day', DAY, 300)},
    blocked_until = 0, blamed = 'minute', doubted_at = 0, passed = 0, probes = 0, probed_at = 0,
    heard = false, healing = 0, expected = 0, back = {}}
if f.version ~= c.version then
    return redis.error_reply('VERSION the quota was kept by another version of vtiger-async')
end
local minute, hour = f.windows[1], f.windows[2]

-- fleet.py: Tally
local function is_utc(w) return m.utc and w.name == 'day' end
local function leaves(w, i)
    local ends = (w.counts[i][1] + 1) * w.step
    return is_utc(w) and ceil(ends / DAY) * DAY or ends + w.span + c.margin
end
local function total(w)
    local sum = 0
    for _, entry in ipairs(w.counts) do sum = sum + entry[2] end
    return sum
end
local function used(w)
    while w.counts[1] and leaves(w, 1) <= now do table.remove(w.counts, 1) end
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
local function since(w, moment)
    local sum = 0
    for _, entry in ipairs(w.counts) do
        if (entry[1] + 1) * w.step > moment then sum = sum + entry[2] end
    end
    return sum
end
local function leaving(w, seconds)
    local gone = 0
    for i, entry in ipairs(w.counts) do
        if leaves(w, i) > now + seconds then break end
        gone = gone + entry[2]
    end
    return gone
end
local function take_back(w, calls)
    local taken = 0
    while w.counts[1] and taken < calls do
        local last = w.counts[#w.counts]
        local part = min(last[2], calls - taken)
        last[2], taken = last[2] - part, taken + part
        if last[2] == 0 then table.remove(w.counts) end
    end
    return taken
end
local function frees_in(w, excess)
    for i, entry in ipairs(w.counts) do
        excess = excess - entry[2]
        if excess <= 0 then return leaves(w, i) - now end
    end
    return INF
end
local function count(at, calls)
    if calls > 0 then for _, w in ipairs(f.windows) do add(w, at, calls) end end
end

-- fleet.py: Fleet
local function out()
    local sum = 0
    for _, loan in pairs(f.loans) do sum = sum + #loan.slots end
    return sum
end
local function due(moment)
    local sum = 0
    for _, loan in pairs(f.loans) do
        for _, slot in ipairs(loan.slots) do if slot <= moment then sum = sum + 1 end end
    end
    return sum
end

-- exchange
if f.at - 300 < now and now < f.at then now = f.at end
if now - f.at > c.silent then minute.ends_at = min(minute.ends_at, now) end
f.at = now
if f.born == 0 then f.born = now end

-- settle
for member, loan in pairs(f.loans) do
    if now - loan.heard_at > c.loan and loan.slots[1] then
        count(loan.heard_at + c.loan, #loan.slots)
        loan.slots = {}
    end
    if now - loan.heard_at > c.member then f.loans[member] = nil end
end
local loan
if m.member ~= '' then
    loan = f.loans[m.member] or {heard_at = 0, asked_at = 0, bulk_at = 0, slots = {}, queues = {0, 0, 0}}
    f.loans[m.member], loan.heard_at = loan, now
    for _, told in ipairs(m.used) do
        local known = min(told[2], #loan.slots)
        for _ = 1, known do table.remove(loan.slots, 1) end
        count(now - told[1], known)
    end
    for _, told in ipairs(m.extra) do count(now - told[1], told[2]) end
    if m.unused > 0 then
        local back = min(m.unused, #loan.slots)
        for _ = 1, back do table.remove(loan.slots, 1) end
        for i, slot in ipairs(loan.slots) do loan.slots[i] = min(slot, now) end
        for _, w in ipairs(f.windows) do if w.left then w.left = w.left + back end end
    end
    for i, w in ipairs(f.windows) do
        local told = m.limits[i]
        if told ~= NONE and told ~= w.told then w.limit, w.told = told, told end
    end
end
for _, w in ipairs(f.windows) do used(w) end

-- heal
if m.alone > 0 and now >= f.healing then
    f.healing, f.expected, f.back = now + c.back, m.alone, {}
end
local late = 0
for _, told in ipairs(m.extra) do if told[1] < c.confused then late = late + told[2] end end
local known = take_back(f.others, late)
for i = 2, 3 do take_back(f.windows[i], known) end
if now < f.healing and m.member ~= '' then
    local found = false
    for _, member in ipairs(f.back) do found = found or member == m.member end
    if not found then f.back[#f.back + 1] = m.member end
end
local function missing(w)
    local away = f.expected - #f.back
    if w.name ~= 'minute' or not w.limit or now >= f.healing or away <= 0 then return 0 end
    return ceil(away * c.share * w.limit / f.expected)
end

-- block
if f.doubted_at > 0 and now >= f.doubted_at and hour.limit then
    hour.limit, f.doubted_at = hour.limit + max(1, floor(hour.limit / 10)), now + hour.span
    if hour.told and hour.limit >= hour.told then hour.limit, f.doubted_at = hour.told, 0 end
end
if m.refused ~= NONE then
    local wait, blamed = m.refused[1], m.refused[2]
    local seen = total(hour) - 1
    if blamed == 'hour' and now >= f.blocked_until and seen >= c.least_hour then
        hour.limit = hour.limit and min(hour.limit, seen) or seen
        f.doubted_at = now + hour.span
    end
    if now + wait > f.blocked_until then f.blocked_until, f.blamed = now + wait, blamed end
end

-- believe
local function compare(ends_at)
    local moved = ends_at - f.reset_at
    if math.abs(moved) <= c.same_reset then return end
    if f.reset_at ~= 0 then
        local off = moved % 60
        local whole = min(off, 60 - off) <= c.same_reset
        f.sliding, f.whole = not (whole and (not f.sliding or f.whole)), whole
    end
    f.reset_at = ends_at
end
local function watch(start, gone)
    used(f.others)
    local calls = gone - since(minute, start) - due(now) + due(start) - since(f.others, start)
    if calls > 0 then
        add(f.others, now, calls)
        for i = 2, 3 do add(f.windows[i], now, calls) end
    end
end
local function believe(i, limit, remaining, ends_at, age)
    local w = f.windows[i]
    if limit ~= NONE then w.limit = limit end
    if remaining == NONE then return end
    local sent_at = now - age
    local left = remaining - out() + due(sent_at - c.untold)
    local newest = not w.left or now >= w.ends_at or sent_at >= w.sent_at
    if i == 1 and newest then
        compare(ends_at)
        if math.abs(ends_at - w.ends_at) <= c.same_reset then ends_at = min(ends_at, w.ends_at) end
        if limit ~= NONE then
            watch((f.sliding and now or ends_at - 2 * c.margin) - w.span, limit - remaining)
        end
    end
    if newest or left < w.left then
        w.left, w.sent_at, w.ends_at = left, sent_at, ends_at
        if i == 1 then f.probes = 0 end
    end
end
f.heard = f.heard or #m.used > 0
if m.seen ~= NONE then
    local seen = m.seen
    local reset = min(60, seen[4] == NONE and 60 or seen[4])
    believe(1, seen[2], seen[3], now + reset + c.margin, seen[1])
    believe(3, seen[5], seen[6], m.utc and floor(now / DAY + 1) * DAY or now + 900, seen[1])
    if f.sliding and minute.limit then minute.left = false end
end

-- room
local function limit_of(w)
    if not w.limit then return INF end
    return w.name == 'day' and max(1, floor(w.limit * (1 - m.reserve))) or w.limit
end
local function room(w)
    local taken = out() + total(w)
    if w.name == 'minute' and f.sliding then taken = taken + since(f.others, now - w.span) end
    return limit_of(w) - taken - missing(w)
end
local function minute_wait(most)
    most = most - missing(minute)
    local steps, load = {}, due(now) + total(minute)
    for i, entry in ipairs(minute.counts) do steps[i] = {leaves(minute, i), -entry[2]} end
    for _, other in pairs(f.loans) do
        for _, slot in ipairs(other.slots) do
            if slot > now then steps[#steps + 1] = {slot, 1} end
        end
    end
    if f.sliding then
        for _, entry in ipairs(f.others.counts) do
            local ends = (entry[1] + 1) * f.others.step + minute.span
            if ends > now then
                load = load + entry[2]
                steps[#steps + 1] = {ends, -entry[2]}
            end
        end
    end
    table.sort(steps, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
    local wait = load <= most and 0 or INF
    for _, step in ipairs(steps) do
        load = load + step[2]
        if load > most then wait = INF elseif wait == INF then wait = step[1] - now end
    end
    return wait
end
local function wait_for(keep)
    local wait, binding = max(0, f.blocked_until - now), f.blamed
    for _, w in ipairs(f.windows) do
        local later = 0
        if w.name == 'minute' then
            later = minute_wait(limit_of(w) - 1 - keep)
        else
            local excess = 1 + keep - room(w)
            if excess > 0 then later = frees_in(w, excess) end
        end
        if w.left and now < w.ends_at and w.left - missing(w) < 1 + keep then
            later = max(later, w.ends_at - now)
        end
        if later > wait then wait, binding = later, w.name end
    end
    return wait, binding
end
local function word_left()
    return (not minute.left or now >= minute.ends_at) and INF or minute.ends_at - now
end

-- pace
local function seen_for(w) return min(max(now - f.born, c.least_seen), w.span) end
local function urgently(seconds)
    local calls = seconds * used(f.urgent) / seen_for(f.urgent)
    return calls + c.deviations * sqrt(calls)
end
local function minute_ends()
    if minute.left and now < minute.ends_at and minute.ends_at <= now + 60 then
        return minute.ends_at
    end
    return floor(now / 60 + 1) * 60
end
local function kept_back()
    local ahead = min(max(minute_ends() - now, min(frees_in(minute, 1), 60)), c.soon)
    return max(ahead > c.last and 1 or 0, floor(urgently(ahead)))
end
local function even_rate()
    local even = INF
    for _, w in ipairs(f.windows) do
        if w.limit and (w.name ~= 'day' or m.even) then even = min(even, limit_of(w) / w.span) end
    end
    return even
end
local function others_rate()
    local rate = used(f.others) / seen_for(f.others)
    return minute.limit and rate >= c.some * minute.limit / 60 and rate or 0
end
local function kept_for_others()
    local rate = others_rate()
    if rate == 0 or not f.sliding then return 0 end
    local calls = rate * (c.soon + max(0, now - minute.sent_at))
    return floor(calls + c.deviations * sqrt(c.burst * calls))
end
local function caution(rate)
    local wanted = rate + urgently(60) / 60
    local mine = (minute.limit or 0) / 60 - wanted
    local needed = mine > 0 and (even_rate() - wanted) / mine or 1
    return c.deviations + (c.choosing - c.deviations) * min(1, max(0, 2 * (1 - needed)))
end
local function for_others(keep)
    local rate = others_rate()
    if rate == 0 or f.sliding or not minute.left or now >= minute.ends_at then return 0 end
    local ahead, unseen = minute.ends_at - now, max(0, now - minute.sent_at)
    local spare = minute.left - 1 - keep - rate * unseen
    if spare < 0 then return ahead end
    local root = caution(rate) * sqrt(c.burst)
    local lasts = ((sqrt(root * root + 4 * spare) - root) / 2) ^ 2 / rate
    return max(0, ahead - lasts + (out() > 0 and unseen or 0))
end
local function gap_of(ends)
    local even, rate, later, theirs = even_rate(), INF, out() - due(now), others_rate()
    if even == INF then return 0 end
    for _, w in ipairs(f.windows) do
        if w.limit and (w.name ~= 'day' or m.even) then
            local unit, free = w.span / 60, room(w) + later
            local last = w.name == 'minute' and max(c.look, ends - now) or w.span
            local held = urgently(min(last, unit * c.soon))
            local function look(ahead)
                local urgent, others = urgently(ahead), 0
                if w.name == 'minute' then
                    urgent = min(held, urgent)
                else
                    local settled = c.burst * theirs * min(ahead, c.settled)
                    others = theirs * ahead + c.long * sqrt(settled)
                end
                rate = min(rate, (free + leaving(w, ahead) - urgent - others) / ahead)
            end
            for ahead = 10, 50, 10 do if unit * ahead < last then look(unit * ahead) end end
            look(last)
            if w.name == 'minute' then
                local dry = min(frees_in(w, 1), w.span)
                if dry > c.dry then rate = min(rate, (free - min(held, urgently(dry))) / dry) end
                local gone = leaving(w, c.hole)
                if gone < c.hole_few * w.limit * c.hole / w.span then
                    rate = min(rate, (free + gone - min(held, urgently(c.hole))) / c.hole)
                end
                if w.left and now < w.ends_at then
                    rate = min(rate, (w.left + later - last * theirs - urgently(last)) / last)
                end
            end
        end
    end
    if ends - now > c.last then rate = min(rate, c.haste * even) end
    return 1 / max(rate, c.least_share * even)
end

-- lend
local function take(wait)
    table.insert(loan.slots, now + wait)
    table.sort(loan.slots)
    for _, w in ipairs(f.windows) do if w.left then w.left = w.left - 1 end end
    return wait
end
local function probes()
    local slots, wait = {}, 0
    while #slots < m.want and f.probes < c.probes do
        wait = wait_for(0)
        if wait > 0 then break end
        slots[#slots + 1] = take(0)
        f.probes, f.probed_at = f.probes + 1, now
    end
    return slots, max(wait, m.rank == 2 and c.unsure or c.again)
end
local function at_once(is_due)
    local keep, free, slots = (m.rank > 0 and not is_due) and kept_back() or 0, INF, {}
    for _, w in ipairs(f.windows) do free = min(free, room(w)) end
    while #slots < (is_due and 1 or m.want) do
        local wait = wait_for(keep)
        local expected = #slots >= max(1, m.waiting)
        if expected and (wait > 0 or #slots >= c.part * free) then break end
        if wait > c.patience or wait >= word_left() then return slots, wait end
        slots[#slots + 1] = take(wait)
    end
    return slots, 0
end
local function paced()
    loan.asked_at = now
    local sharing, slots, wait = 0, {}, 0
    for _, other in pairs(f.loans) do
        if other.asked_at >= now - c.gone then sharing = sharing + 1 end
    end
    local ends = minute_ends()
    if ends - now < c.last then sharing = 1 end
    local others = others_rate() > 0
    local keep, each, gap = kept_back() + kept_for_others(), sharing / even_rate(), gap_of(ends)
    local ahead = min(max(c.ahead, c.few * each), c.farthest)
    if gap > 0 then
        local seconds = max(c.look, min(ahead, ends - now))
        local rate, sent = 1 / gap, (due(now + seconds) - due(now)) / seconds
        gap = 1 / max(min(rate / sharing, rate - sent), c.least_part * rate / sharing)
    end
    ahead = ahead * min(1, each / max(gap, c.look))
    if ends - now < c.last then ahead = min(ahead, ends - now) end
    if ends - now > 2 * c['end'] then ahead = min(ahead, ends - now - c['end']) end
    if others then ahead = min(ahead, c.near) end
    local last = min(ahead, word_left() - c.look)
    while true do
        wait = max(loan.bulk_at + gap - now, (wait_for(keep)), for_others(keep), 0)
        if wait > last or #slots == m.want then break end
        slots[#slots + 1] = take(wait)
        loan.bulk_at = max(loan.bulk_at + gap, now + wait - (others and c.make_up or 0))
    end
    if slots[1] then return slots, slots[#slots] end
    if wait == INF then wait = c.unsure end
    if ends - now < c.last / 2 then wait = ends - now + c.early end
    if others then return slots, min(max(wait, c.again), c.pause, max(c.least, ends - now)) end
    return slots, min(max(wait - c.early, c.again), max(ahead, c.early), max(c.least, ends - now))
end

local free_in, binding = wait_for(0)
local asking
if minute.left then asking = now >= minute.ends_at else asking = not f.heard end
if asking and f.probes >= c.probes and now - f.probed_at > c.late then f.probes = 0 end
local slots, ask_in = {}, free_in
if m.want > 0 and loan then
    local is_due = f.passed >= c.turn
    if asking then
        slots, ask_in = probes()
    elseif m.rank == 2 and not is_due then
        slots, ask_in = paced()
    else
        slots, ask_in = at_once(is_due and m.rank > 0)
    end
    if m.rank == 0 then
        f.passed = f.passed + #slots
        if slots[1] then add(f.urgent, now, min(#slots, m.waiting)) end
    elseif slots[1] then
        f.passed = 0
    end
    loan.queues[m.rank + 1] = max(0, m.waiting - #slots)
end
local sums, limits, members, lent = {}, {}, 0, out()
for i, w in ipairs(f.windows) do sums[i], limits[i] = total(w) + lent, w.limit or NONE end
for _ in pairs(f.loans) do members = members + 1 end
redis.call('SET', KEYS[1], cmsgpack.pack(f), 'PX', c.keep)
return cjson.encode({
    slots = slots, ask_in = ask_in == INF and c.unsure or min(max(ask_in, c.least), c.most),
    free_in = free_in == INF and c.unsure or free_in, window = binding, probing = asking,
    members = members, used = sums, limits = limits, born = f.born})
