"""The end of the host's bus that publishes and reads."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
import pytest_twisted

from tests.aio.loops import LOOPS, here, run_in
from tests.buses.local import Heard
from tests.buses.test_host import framed, path
from tests.net.servers import until
from txremote.aio.loop import AsyncioLoop
from txremote.buses.bus import Bus
from txremote.buses.host_store import HostOpener
from txremote.buses.ports import Unreachable

__all__ = ["path"]  # the fixture


def joined(reactor: Any, path: str, topic: str = "t", retain: bool = False) -> tuple[Any, Heard]:
    """Return a topic's link, as one of another process, and what it hears."""
    heard = Heard()
    return Bus(reactor, HostOpener(reactor, path), lambda: None).join(topic, heard, retain), heard


@pytest_twisted.ensureDeferred
async def test_who_is_first_serves_it_and_another_does_when_that_one_ends(path: str) -> None:
    """No event is lost, none comes twice, and the last of each key stays known."""
    from twisted.internet import reactor

    links, heard = zip(*[joined(reactor, path, retain=True) for _ in range(3)], strict=True)
    await until(lambda: all(each.there for each in heard))
    total = 0
    for _ in range(3):
        for number in range(100):
            total += 1
            links[0].publish(f"k{number % 3}", b"%d" % total)
            if number == 50:
                [host] = [each._host for each in openers(links) if each._host is not None]
                await host.stop()
                for each in openers(links):
                    each._host = None
        wanted = total
        await until(lambda: all(len(each.events) == wanted for each in heard[1:]))  # noqa: B023
    for each in heard[1:]:
        assert each.missing == 0
        assert list(each.numbers().values()) == [list(range(1, total + 1))]
    await until(lambda: heard[0].there)
    late, last = joined(reactor, path, retain=True)
    await until(lambda: last.there)
    assert sorted(last.kept) == [("k0", b"300"), ("k1", b"298"), ("k2", b"299")]
    for link in (*links, late):
        link.close()
    await until(lambda: not os.path.exists(path))


def openers(links: tuple[Any, ...]) -> list[HostOpener]:
    return [link._bus._opener for link in links]


@pytest_twisted.ensureDeferred
async def test_a_server_that_speaks_something_else_is_left(path: str) -> None:
    from twisted.internet import reactor

    lost: list[str] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        store = await HostOpener(reactor, path).open(lambda _: None, lost.append)
        asked = store.join("t", None)
        client, _ = server.accept()
        with client:
            client.sendall(framed(77, True, None))
            with pytest.raises(Unreachable, match="speaks something else"):
                await asked
        assert lost == ["what serves it speaks something else"]
        with pytest.raises(Unreachable):
            await store.join("t", None)


@pytest_twisted.ensureDeferred
async def test_a_place_where_nothing_can_be_served_is_told() -> None:
    from twisted.internet import reactor

    link, heard = joined(reactor, "/nowhere/at/all")
    await until(lambda: heard.states)
    assert heard.states[0][0] is False
    assert "/nowhere/at/all" in heard.states[0][1]
    link.close()


@pytest.mark.parametrize("kind", LOOPS)
def test_a_loop_without_a_reactor_is_on_it_too(kind: str, path: str) -> None:
    """As the one that serves it, and as another."""

    async def main() -> None:
        loop = AsyncioLoop.current()
        one, heard = joined(loop, path)
        other, second = joined(loop, path)
        while not (heard.there and second.there):
            await here(_pause(loop))
        one.publish("key", b"x")
        while not second.events:
            await here(_pause(loop))
        assert second.events[0][:2] == ("key", b"x")
        one.close()
        other.close()
        while os.path.exists(path):
            await here(_pause(loop))

    run_in(kind, main)


def _pause(loop: Any) -> Any:
    from twisted.internet.task import deferLater

    return deferLater(loop, 0.01)
