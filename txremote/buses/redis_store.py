"""
Events kept in a Redis: what it is asked, whatever library speaks to it.

A topic is a Redis stream, which keeps its last events, and a hash with the last event of each
key. A message without content on a channel of the same name says that there is something new.
They are read by a script, which leaves out entries that are longer than `LONGEST`, and
stops when it has `AT_ONCE` bytes: so what anybody has put there takes no memory here. The script
gives its answer as one string, which txredisapi takes at once, where a list would take it a turn
of the reactor for each item.

An answer is a run of records: a line ``FIELD-BYTES ID SIZE``, the field, and SIZE bytes. An entry
that is too long has its size with a minus, and no bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

from twisted.internet.defer import Deferred

from txremote.buses.ports import (
    AT_ONCE,
    LONGEST,
    MOST_RETAINED,
    START,
    BegunAnew,
    Entry,
    Given,
    Id,
    Joined,
    Reading,
    Unreachable,
)

#: Longest string that is read from a Redis, in bytes: an answer of a script.
LONGEST_ANSWER: Final = LONGEST + 2 * AT_ONCE

#: Seconds after which a Redis forgets a topic that nobody publishes to.
FORGET_AFTER: Final = 7 * 24 * 3600

_RECORD = """
local out, left = {}, tonumber(ARGV[1])
local function add(field, id, data)
  if #data > tonumber(ARGV[2]) then
    out[#out + 1] = #field .. ' ' .. id .. ' -' .. #data .. '\\n' .. field
    left = left - 64
  elseif left < tonumber(ARGV[1]) and #data > left then
    left = 0
    return false
  else
    out[#out + 1] = #field .. ' ' .. id .. ' ' .. #data .. '\\n' .. field .. data
    left = left - #data - 64
  end
  return left > 0
end
"""

# Keys: the stream, its generation. Arguments: an id, or nothing; seconds.
_JOIN = """
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local known = ARGV[1] ~= '' and #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) > 0
local now = redis.call('TIME')
if not redis.call('GET', KEYS[2]) then
  redis.call('SET', KEYS[2], now[1] .. '.' .. now[2], 'EX', ARGV[2])
end
return (first and first[1] or '0-0') .. ' ' .. (last and last[1] or '0-0') .. ' ' ..
  string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)) .. ' ' .. (known and 1 or 0) ..
  ' ' .. redis.call('GET', KEYS[2])
"""

# Keys: the stream, the hash, the generation. Arguments: how many to keep, keys to keep, seconds,
# the generation; and for each event: its bytes, the hash's field or nothing, the id that it had or
# nothing.
_PUBLISH = """
local id
if ARGV[4] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[4] then return 'anew' end
local function older(a, b)
  local am, as = a:match('^(%d+)%-(%d+)')
  local bm, bs = b:match('^(%d+)%-(%d+)')
  am, bm = tonumber(am), tonumber(bm)
  return am < bm or (am == bm and tonumber(as) < tonumber(bs))
end
for i = 5, #ARGV, 3 do
  local data, field, first = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', data)
  if field ~= '' then
    local at = first ~= '' and first or id
    local there = redis.call('HGET', KEYS[2], field)
    if there and not (first ~= '' and there:match('^%d+%-%d+ ') and older(at, there)) or
      not there and redis.call('HLEN', KEYS[2]) < tonumber(ARGV[2]) then
      redis.call('HSET', KEYS[2], field, at .. ' ' .. data)
    end
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
redis.call('PUBLISH', KEYS[1], '')
return id
"""

# Keys: streams with their generations. Arguments: bytes at once, the longest entry; and an id and
# the generation for each stream.
_READ = (
    _RECORD
    + """
for i = 1, #KEYS, 2 do
  local name = tostring((i - 1) / 2)
  local found = redis.pcall('XREAD', 'COUNT', 500, 'STREAMS', KEYS[i], ARGV[i + 2])
  if ARGV[i + 3] ~= '' and redis.pcall('GET', KEYS[i + 1]) ~= ARGV[i + 3] then
    out[#out + 1] = #name .. ' anew 0\\n' .. name
  elseif found and found.err then
    out[#out + 1] = #name .. ' error ' .. #found.err .. '\\n' .. name .. found.err
  elseif found then
    for _, entry in ipairs(found[1][2]) do
      if not add(name, entry[1], entry[2][2] or '') then return table.concat(out) end
    end
  else
    local last = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
    if last and last[1] ~= ARGV[i + 2] then
      out[#out + 1] = #name .. ' anew 0\\n' .. name
    end
  end
end
return table.concat(out)
"""
)

# Keys: the hash. Arguments: bytes at once, the longest entry, keys to keep, after which.
_RETAINED = (
    _RECORD
    + """
if redis.call('HLEN', KEYS[1]) > 2 * tonumber(ARGV[3]) then
  return redis.error_reply('its hash of last events has too many keys: DEL ' .. KEYS[1])
end
local fields = redis.call('HKEYS', KEYS[1])
table.sort(fields)
for _, field in ipairs(fields) do
  if field > ARGV[4] and #field < 5000 then
    local size = redis.call('HSTRLEN', KEYS[1], field)
    if size < 2 * tonumber(ARGV[2]) then
      local id, data = redis.call('HGET', KEYS[1], field):match('^(%d+%-%d+) (.*)$')
      if id and not add(field, id, data) then break end
    end
  end
end
return table.concat(out)
"""
)

_HEAD = re.compile(rb"(\d{1,9}) (\d{1,20}-\d{1,20}|error|anew) (-?)(\d{1,19})\n")


class RedisLine(Protocol):
    """A connection to a Redis, by whatever library. Its methods are for its loop's thread."""

    def command(self, *words: str | bytes | int) -> Deferred[object]:
        """
        Send a command, and return its answer: bytes, an int, or None.

        Fails with `Refused` for an error that the Redis answers.
        """

    def subscribe(self, channel: str) -> Deferred[object]:
        """Have ``message`` called for what is published on a channel."""

    def unsubscribe(self, channel: str) -> None:
        """Have it called no more."""

    def close(self) -> None:
        """Close it; nothing is called any more."""


class RedisStore:
    """
    A `txremote.buses.ports.Store` in a Redis.

    Args:
        line: The connection to it, which is open.
        keep: How many events of each topic to keep.
    """

    def __init__(self, line: RedisLine, keep: int) -> None:
        self._line = line
        self._keep = keep
        self._generations: dict[str, str] = {}  # of the topics that have joined

    def join(self, topic: str, known: Id | None) -> Deferred[Joined]:
        """Subscribe to a topic, and tell how it stands."""
        joined: Deferred[object] = self._line.subscribe(stream_of(topic))
        asked = "" if known is None else text_of(known)
        keys = stream_of(topic), generation_of(topic)

        def noted(answer: object) -> Joined:
            found = _joined(answer)
            self._generations[topic] = found.generation
            return found

        joined.addCallback(lambda _: self._run(_JOIN, keys, asked, FORGET_AFTER))
        return joined.addCallback(noted)

    def leave(self, topic: str) -> None:
        """Subscribe to it no more."""
        self._line.unsubscribe(stream_of(topic))

    def publish(self, topic: str, events: Sequence[Given]) -> Deferred[Id]:
        """Add events."""
        words: list[str | bytes | int] = [self._keep, MOST_RETAINED, FORGET_AFTER]
        words.append(self._generations.get(topic, ""))
        for event in events:
            first = "" if event.first is None else text_of(event.first)
            words += (event.data, event.retain or b"", first)
        keys = stream_of(topic), hash_of(topic), generation_of(topic)

        def added(answer: object) -> Id:
            if answer == b"anew":
                raise BegunAnew
            return id_of(_bytes(answer))

        return self._run(_PUBLISH, keys, *words).addCallback(added)

    def read(self, topics: Sequence[tuple[str, Id]]) -> Deferred[Reading]:
        """Read the next events of topics."""
        keys: list[str] = []
        places: list[str] = []
        for topic, after in topics:
            keys += stream_of(topic), generation_of(topic)
            places += text_of(after), self._generations.get(topic, "")
        reading = self._run(_READ, keys, AT_ONCE, LONGEST, *places)
        return reading.addCallback(lambda answer: _reading(_bytes(answer), len(topics)))

    def retained(self, topic: str, after: bytes) -> Deferred[Sequence[Entry]]:
        """Read last events of keys."""
        reading = self._run(_RETAINED, [hash_of(topic)], AT_ONCE, LONGEST, MOST_RETAINED, after)
        return reading.addCallback(
            lambda answer: [
                Entry(0, at, data, size, field)
                for field, at, data, size in _records(_bytes(answer))
                if isinstance(at, tuple)
            ]
        )

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def _run(self, script: str, keys: Sequence[str], *words: str | bytes | int) -> Deferred[object]:
        return self._line.command("EVAL", script, len(keys), *keys, *words)


def stream_of(topic: str) -> str:
    """Return the name of a topic's stream, and of its channel."""
    return f"txremote:{{{topic}}}:events"


def hash_of(topic: str) -> str:
    """Return the name of the hash of a topic's last events by key."""
    return f"txremote:{{{topic}}}:last"


def generation_of(topic: str) -> str:
    """Return the name of the text that is another one when the Redis has lost a topic."""
    return f"txremote:{{{topic}}}:generation"


def text_of(at: Id) -> str:
    """Return an id as Redis writes it."""
    return f"{at[0]}-{at[1]}"


def id_of(text: bytes) -> Id:
    """Return an id that Redis wrote. Raises `Unreachable`: it is none."""
    first, dash, second = text.partition(b"-")
    if not (dash and first.isdigit() and second.isdigit() and len(text) < 42):
        raise Unreachable("it answers what a Redis does not")
    return int(first), int(second)


def _bytes(answer: object) -> bytes:
    if type(answer) is not bytes:
        raise Unreachable("it answers what a Redis does not")
    return answer


def _joined(answer: object) -> Joined:
    words = _bytes(answer).split()
    if len(words) != 5 or not words[2].isdigit():
        raise Unreachable("it answers what a Redis does not")
    oldest, newest = id_of(words[0]), id_of(words[1])
    since = (newest[0], newest[1] + 1) if newest > START else (int(words[2]), 0)
    return Joined(oldest, newest, since, words[3] == b"1", words[4].decode("ascii", "replace"))


def _records(answer: bytes) -> list[tuple[bytes, Id | bytes, bytes | None, int]]:
    """Return an answer's records: field, id or another word, bytes or None, size."""
    found: list[tuple[bytes, Id | bytes, bytes | None, int]] = []
    at = 0
    while at < len(answer):
        head = _HEAD.match(answer, at)
        if head is None:
            raise Unreachable("it answers what a Redis does not")
        start = head.end() + int(head[1])
        size = int(head[4])
        end = start if head[3] else start + size
        word = id_of(head[2]) if head[2][:1].isdigit() else head[2]
        data = None if head[3] else answer[start:end]
        found.append((answer[head.end() : start], word, data, size))
        at = end
    if at > len(answer):
        raise Unreachable("it answers what a Redis does not")
    return found


def _reading(answer: bytes, topics: int) -> Reading:
    entries: list[Entry] = []
    anew: set[int] = set()
    refused: list[tuple[int, str]] = []
    for field, at, data, size in _records(answer):
        number = int(field)
        if not 0 <= number < topics:
            raise Unreachable("it answers what a Redis does not")
        if isinstance(at, tuple):
            entries.append(Entry(number, at, data, size))
        elif at == b"anew":
            anew.add(number)
        else:
            refused.append((number, (data or b"").decode("utf-8", "replace")))
    return Reading(entries, frozenset(anew), refused)


def topic_of(channel: str) -> str:
    """Return the topic whose channel it is."""
    return channel.removeprefix("txremote:{").removesuffix("}:events")
