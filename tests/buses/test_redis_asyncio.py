"""A real Redis by redis.asyncio, in a loop without a reactor."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import deferLater

from tests.aio.loops import LOOPS, here, run_in
from tests.buses.local import Heard
from tests.buses.redis_server import RedisServer, check_harm, needs_redis
from txremote.aio.loop import AsyncioLoop
from txremote.buses import bus
from txremote.buses.bus import Bus
from txremote.buses.redis_asyncio import AsyncioRedisOpener
from txremote.buses.redis_store import LONGEST_ANSWER, stream_of
from txremote.buses.redis_url import parse_redis_url


def joined(url: str, retain: bool = False) -> tuple[Any, Heard]:
    """Return a topic's link, as one of another process, and what it hears."""
    heard = Heard()
    loop = AsyncioLoop.current()
    one = Bus(loop, AsyncioRedisOpener(loop, parse_redis_url(url)), lambda: None)
    return one.join("t", heard, retain), heard


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    loop = AsyncioLoop.current()
    end = loop.seconds() + 20
    while not condition():
        assert loop.seconds() < end, "it did not come about"
        await here(deferLater(loop, 0.002))


@needs_redis
@pytest.mark.parametrize("kind", LOOPS)
def test_it_is_killed_flushed_stopped_and_started_and_no_event_is_lost_or_twice(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "ANSWER_WITHIN", 0.5)

    async def main() -> None:
        with RedisServer() as redis:
            for link in await check_harm(redis, joined, until):
                link.close()
            await here(deferLater(AsyncioLoop.current(), 0.05))

    run_in(kind, main)


@needs_redis
@pytest.mark.parametrize("kind", LOOPS)
def test_what_it_is_told_by_others(kind: str, redis: RedisServer) -> None:
    """Last events, a database and a user; a wrong password; strings that are too long."""
    redis.ask("FLUSHALL")
    redis.ask("ACL", "SETUSER", "bus", "on", ">secret", "~txremote:*", "&txremote:*", "+@all")

    async def main() -> None:
        named = f"redis://bus:{{}}@127.0.0.1:{redis.port}/3"
        link, _ = joined(named.format("secret"), retain=True)
        _, refused = joined(named.format("wrong"))
        link.publish("007", b"1.10")
        await until(lambda: refused.states and stream_of("t") in redis.ask("-n", "3", "KEYS", "*"))
        assert refused.states[0][0] is False
        late, other = joined(named.format("secret"), retain=True)
        await until(lambda: other.there)
        assert other.kept == [("007", b"1.10")]
        redis.say("PUBLISH", stream_of("t"), last=bytes(LONGEST_ANSWER + 1))
        await until(lambda: len(other.states) > 1)
        assert "LONGEST_ANSWER" in other.states[1][1]
        link.publish(None, b"7")
        await until(lambda: other.payloads == [b"7"])
        for each in (link, late):
            each.close()
        await here(deferLater(AsyncioLoop.current(), 0.05))

    run_in(kind, main)


@needs_redis
@pytest.mark.parametrize("kind", LOOPS)
def test_many_topics_of_a_loop_join_and_publish_at_once(kind: str, redis: RedisServer) -> None:
    redis.ask("FLUSHALL")

    async def main() -> None:
        loop = AsyncioLoop.current()
        place = parse_redis_url(redis.url)
        one, other = (Bus(loop, AsyncioRedisOpener(loop, place), lambda: None) for _ in range(2))
        heard = [Heard() for _ in range(100)]
        hearing = [other.join(f"t{number}", each, False) for number, each in enumerate(heard)]
        await until(lambda: all(each.there for each in heard))
        links = [one.join(f"t{number}", Heard(), False) for number in range(100)]
        for number, link in enumerate(links):
            link.publish(None, b"%d" % number)
        await until(lambda: [each.payloads for each in heard] == [[b"%d" % n] for n in range(100)])
        assert {tuple(each.states) for each in heard} == {((True, ""),)}
        for link in (*links, *hearing):
            link.close()
        await here(deferLater(loop, 0.05))

    run_in(kind, main)


def test_no_reactor_comes_with_it() -> None:
    program = (
        "import sys, txremote.aio, txremote.buses.joining, redis.asyncio\n"
        "assert 'twisted.internet.reactor' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)

    async def main() -> None:
        with pytest.raises(ImportError, match=r"pip install 'txremote\[redis\]'"):
            joined("redis://localhost")

    run_in("stock", main)
