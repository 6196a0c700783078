"""Which bus a topic is on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.aio.loops import run_in
from tests.buses.local import Heard
from tests.buses.redis_server import RedisServer, needs_redis
from tests.net.servers import until
from txremote.aio.loop import AsyncioLoop
from txremote.buses.host import ENVIRONMENT
from txremote.buses.joining import join_by
from txremote.buses.redis_asyncio import AsyncioRedisOpener
from txremote.buses.redis_reactor import TxRedisOpener


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({}, "one bus"),
        ({"redis": "redis://h", "bus": "host"}, "one bus"),
        ({"bus": "hosts"}, "no bus 'hosts': it is 'host'"),
        ({"redis": "h"}, "not the URL of a Redis"),
    ],
)
def test_what_names_no_bus_is_refused(words: Any, says: str) -> None:
    from twisted.internet import reactor

    with pytest.raises(ValueError, match=says):
        join_by(reactor, **words)  # type: ignore[arg-type]


@pytest_twisted.ensureDeferred
async def test_topics_of_a_loop_share_a_connection_while_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet import reactor

    place = tmp_path / "b"
    monkeypatch.setenv(ENVIRONMENT, str(place))
    joins = [join_by(reactor, bus="host", retain=retain) for retain in (True, False)]  # type: ignore[arg-type]
    heard = [Heard(), Heard()]
    first, second = (join("t", each) for join, each in zip(joins, heard, strict=True))
    buses: Any = reactor._txremote_buses  # type: ignore[attr-defined]
    assert len(buses) == 1
    first.publish(None, b"x")
    await until(lambda: all(each.there for each in heard))
    first.publish(None, b"y")
    await until(lambda: heard[1].payloads[-1:] == [b"y"])
    first.close()
    second.close()
    await until(lambda: not buses and not place.exists())


@needs_redis
def test_a_reactor_goes_by_txredisapi_and_a_loop_by_redis_asyncio(redis: RedisServer) -> None:
    def opener(loop: Any) -> object:
        link = join_by(loop, redis=redis.url)("t", Heard())
        [found] = loop._txremote_buses.values()
        link.close()
        return type(found._opener)

    from twisted.internet import reactor

    async def main() -> object:
        return opener(AsyncioLoop.current())

    assert run_in("stock", main) is AsyncioRedisOpener
    if not isinstance(reactor, AsyncioLoop):
        assert opener(reactor) is TxRedisOpener
