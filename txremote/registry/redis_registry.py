"""
Redis as a `Registry`: leases by Redis's own clock, so that no machine's clock matters.

============================================  =================================================
``txremote:registry``                         the names, sorted by when their last lease ends
``txremote:registry:NAME``                    the keys of a name's servers, likewise
``txremote:registry:NAME:places``             their places, as JSON, by key
============================================  =================================================

Each change is one script, so nobody sees a half of it; and every key expires, so a registry that
nobody uses leaves nothing behind. Each place that is read is checked: others write to Redis, too.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import isfinite
from typing import Any, Final

from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from txremote.errors import RegistryUnreachable
from txremote.levels import Logger
from txremote.refs.awaiting import awaitable, failed
from txremote.refs.clock import steady
from txremote.registry.asking import TIMEOUT, resolved, within
from txremote.registry.keeping import Renewed, Watchable
from txremote.registry.messages import MAX_NAME, checked_names
from txremote.registry.ports import Place, Registration
from txremote.registry.redis_links import RedisLink, redis_link
from txremote.registry.urls import RegistryURL

_log = Logger("txremote.registry")

#: Seconds that an entry lasts, and between two renewals of it.
LEASE: Final = 15.0
RENEW_EVERY: Final = 5.0

#: How many places of a name are read, how many names, and how long a place may be in bytes.
MOST_PLACES: Final = 1_000
MOST_NAMES: Final = 10_000
LONGEST_PLACE: Final = 2_000

_PREFIX: Final = "txremote:registry"
_SCHEMES: Final = ("tcp", "tls", "unix")

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# KEYS: the names' index, then each name's keys and places; ARGV: key, place, lease, names
_ENTER: Final = (
    _NOW
    + """
local lease = tonumber(ARGV[3])
for i = 2, #KEYS, 2 do
  local keys, places = KEYS[i], KEYS[i + 1]
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', keys, '-inf', now, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', keys, old)
    redis.call('HDEL', places, old)
  end
  redis.call('ZADD', keys, now + lease, ARGV[1])
  redis.call('HSET', places, ARGV[1], ARGV[2])
  redis.call('PEXPIRE', keys, lease)
  redis.call('PEXPIRE', places, lease)
  redis.call('ZADD', KEYS[1], now + lease, ARGV[3 + i / 2])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], lease)
return 'OK'
"""
)
_LEAVE: Final = """
for i = 2, #KEYS, 2 do
  redis.call('ZREM', KEYS[i], ARGV[1])
  redis.call('HDEL', KEYS[i + 1], ARGV[1])
  if redis.call('ZCARD', KEYS[i]) == 0 then
    redis.call('ZREM', KEYS[1], ARGV[1 + i / 2])
  end
end
return 'OK'
"""
_FIND: Final = (
    _NOW
    + """
local keys = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'LIMIT', 0, ARGV[1])
if #keys == 0 then return {} end
return redis.call('HMGET', KEYS[2], unpack(keys))
"""
)
_LIST: Final = (
    _NOW + "return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'LIMIT', 0, ARGV[1])"
)


class RedisRegistry(Watchable):
    """A registry in Redis; see `txremote.registry.ports.Registry`."""

    def __init__(
        self,
        url: RegistryURL,
        reactor: Any,
        *,
        clock: IReactorTime | None = None,
        link: RedisLink | None = None,
        lease: float = LEASE,
        renew_every: float = RENEW_EVERY,
    ) -> None:
        super().__init__(url, clock or steady(reactor))
        self._reactor = reactor
        self._link = link or redis_link(url, reactor)
        self._lease = str(int(lease * 1000))
        self._renew_every = renew_every
        self._strange = 0

    def find(self, name: str) -> Deferred[tuple[Place, ...]]:
        """Return where a name is served."""

        def found(written: list[str | None]) -> tuple[Place, ...]:
            places = [_read(each) for each in written or ()]
            self._note_strange(written, places.count(None))
            return tuple(place for place in places if place is not None)

        try:
            keys = _keys((name,))[1:]
        except ValueError as problem:
            return failed(problem)
        return awaitable(self._run(_FIND, keys, [str(MOST_PLACES)]).addCallback(found))

    def _note_strange(self, written: list[str | None], count: int) -> None:
        """Log that some of what was read are no places, once for each number of them."""
        if count != self._strange and count:
            example = next(each for each in written if _read(each) is None)
            _log.warn(
                "{count} of {total} places in {what} are none, such as {example}",
                count=count,
                total=len(written),
                what=self._what,
                example=str(example)[:200],
            )
        self._strange = count

    def register(self, names: tuple[str, ...], place: Place) -> Registration:
        """Enter a server, and renew that until its `Registration` leaves. ValueError: a name is
        empty or too long, or there are too many."""
        _keys(names)
        return Renewed(
            partial(self._enter, names),
            partial(self._take_out, names),
            place,
            self._renew_every,
            self._clock,
            self._what,
        )

    def list(self) -> Deferred[tuple[str, ...]]:
        """Return the names that are served."""

        def found(names: list[str]) -> tuple[str, ...]:
            return tuple(sorted(name for name in names or () if 0 < len(name) <= MAX_NAME))

        return awaitable(self._run(_LIST, [_PREFIX], [str(MOST_NAMES)]).addCallback(found))

    def close(self) -> Deferred[None]:
        """Stop what watches, and close the connection."""
        closed = super().close()
        self._link.close()
        return closed

    def _enter(self, names: tuple[str, ...], place: Place) -> Deferred[None]:
        return ensureDeferred(self._write(_ENTER, names, place))

    def _take_out(self, names: tuple[str, ...], place: Place) -> Deferred[None]:
        return ensureDeferred(self._write(_LEAVE, names, place))

    async def _write(self, script: str, names: tuple[str, ...], place: Place) -> None:
        here = await self._placed(place)
        args = [here.key]
        if script is _ENTER:
            args += [_written(here), self._lease]
        await self._run(script, _keys(names), [*args, *(name.upper() for name in names)])

    async def _placed(self, place: Place) -> Place:
        """Return a place with the address by which this machine reaches Redis, if it has none."""
        if not place.is_anywhere:
            return place
        asked = self.url.host or "127.0.0.1"
        finding = own_address(self._reactor, asked, only_ipv4=place.host == "0.0.0.0")
        host = await within(finding, TIMEOUT, self._clock, self.url)
        key = "" if place.key == place.name else place.key
        return replace(place, host=host, key=key)

    def _run(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Deferred[Any]:
        def wrong(failure: Failure) -> Failure:
            if failure.check(RegistryUnreachable):
                return failure
            why = failure.getErrorMessage() or failure.value.__class__.__name__
            problem = RegistryUnreachable(f"the registry at {self.url} cannot be used: {why}")
            return Failure(problem)

        running = self._link.evaluate(script, keys, args)
        return within(running, TIMEOUT, self._clock, self.url).addErrback(wrong)


def own_address(reactor: Any, host: str, only_ipv4: bool = False) -> Deferred[str]:
    """Return the address of this machine from which another is reached. It sends nothing."""

    def ask(address: str) -> str:
        family = socket.AF_INET6 if isIPv6Address(address) else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((address, 9))
            name: str = asking.getsockname()[0]
            return name

    return resolved(reactor, host, only_ipv4).addCallback(ask)


def _keys(names: tuple[str, ...]) -> list[str]:
    """Return the keys of some names. ValueError: they are too many, or one is none."""
    keys = [_PREFIX]
    for name in checked_names(names):
        key = f"{_PREFIX}:{name.upper()}"
        keys += [key, f"{key}:places"]
    return keys


def _written(place: Place) -> str:
    fields = {"host": place.host, "port": place.port, "scheme": place.scheme, "key": place.key}
    if place.load is not None:
        fields["load"] = place.load
    return json.dumps(fields)


def _read(written: str | None) -> Place | None:
    """Return a place that was read, or None if it is none: others write there, too."""
    if not isinstance(written, str) or len(written) > LONGEST_PLACE:
        return None
    try:
        match json.loads(written):
            case {
                "host": str(host),
                "port": int(port),
                "scheme": str(scheme),
                "key": str(key),
                **rest,
            } if 0 <= port < 65536 and scheme in _SCHEMES and host:
                load = rest.get("load")
                if not isinstance(load, (int, float)) or not isfinite(load):
                    load = None
                return Place(host, port, scheme, load, key)
    except (ValueError, RecursionError, OverflowError):
        pass
    return None
