"""A real Redis by txredisapi."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_twisted

from tests.buses.local import Heard
from tests.buses.redis_server import RedisServer, check_harm, needs_redis
from tests.interop.peer_processes import ROOT
from tests.net.servers import until
from txremote.buses import bus
from txremote.buses.bus import Bus
from txremote.buses.ports import Given, Refused, Unreachable
from txremote.buses.redis_reactor import TxRedisOpener
from txremote.buses.redis_store import LONGEST_ANSWER, stream_of
from txremote.buses.redis_url import parse_redis_url


def opener_of(url: str) -> TxRedisOpener:
    from twisted.internet import reactor

    return TxRedisOpener(reactor, parse_redis_url(url))


def joined(url: str, topic: str = "t", retain: bool = False) -> tuple[Any, Heard]:
    """Return a topic's link, as one of another process, and what it hears."""
    from twisted.internet import reactor

    heard = Heard()
    one = Bus(reactor, opener_of(url), lambda: None)  # type: ignore[arg-type]
    return one.join(topic, heard, retain), heard


@needs_redis
@pytest_twisted.ensureDeferred
async def test_it_is_killed_flushed_stopped_and_started_and_no_event_is_lost_or_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader that is there all the time has all; what may be lost is said."""
    monkeypatch.setattr(bus, "ANSWER_WITHIN", 0.5)
    with RedisServer() as redis:
        for link in await check_harm(redis, joined, until):
            link.close()


@needs_redis
@pytest_twisted.ensureDeferred
async def test_a_password_a_user_and_a_database_are_used(redis: RedisServer) -> None:
    """And a Redis that lets nobody in says why, without the password."""
    rights = re.search(r"ACL SETUSER (bus .*\n.*\n)", (ROOT / "docs/operating.rst").read_text())
    assert rights is not None
    assert redis.ask("ACL", "SETUSER", *rights[1].replace("PASSWORD", "secret").split()) == "OK\n"
    url = redis.url.replace("unix://", "unix://bus:secret@") + "?db=3"
    link, _ = joined(url, retain=True)
    _, other = joined(f"redis://bus:secret@127.0.0.1:{redis.port}/3", retain=True)
    wrong, refused = joined(redis.url.replace("unix://", "unix://bus:wrong@"))
    link.publish(None, b"x")
    await until(lambda: other.there and refused.states)
    link.publish(None, b"y")
    await until(lambda: other.payloads and other.payloads[-1] == b"y")
    assert stream_of("t") in redis.ask("-n", "3", "KEYS", "*")
    assert "WRONGPASS" in refused.states[0][1]
    for each in (link, wrong):
        each.close()
    assert "secret" not in str(vars(other))


@contextmanager
def speaker(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Give the port of something that is no Redis, though it answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def serve() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    with connection:
                        answer(connection)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(20)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (b"HTTP/1.1 400 no\r\n\r\n", "connection was lost|not answered"),
        (b"\xff\xfe\r\n", "what a Redis does not"),
        (b"$%d\r\n" % (LONGEST_ANSWER + 1), "LONGEST_ANSWER"),
        (b"$99999999999999\r\n", "LONGEST_ANSWER"),
        (b"*1000000\r\n", "more than 16"),
        (b"-NOAUTH Authentication required.\r\n", "NOAUTH"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_redis_is_told_and_costs_no_memory(said: bytes, says: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(said)
        connection.settimeout(0.2)
        try:
            while connection.recv(1000):
                pass
        except OSError:
            pass

    with speaker(answer) as port:
        link, heard = joined(f"redis://127.0.0.1:{port}")
        await until(lambda: heard.states)
        link.close()
    assert re.search(says, heard.states[0][1])


@needs_redis
@pytest_twisted.ensureDeferred
async def test_a_message_that_is_too_long_ends_the_connection_and_events_still_come(
    redis: RedisServer,
) -> None:
    """Somebody publishes it on the topic's channel, whose messages are empty otherwise."""
    link, _ = joined(redis.url)
    _, other = joined(redis.url)
    await until(lambda: other.there)
    redis.say("PUBLISH", stream_of("t"), last=b"7")
    redis.say("PUBLISH", stream_of("t"), last=bytes(LONGEST_ANSWER + 1))
    await until(lambda: len(other.states) > 1)
    assert "LONGEST_ANSWER" in other.states[1][1]
    link.publish(None, b"x")
    await until(lambda: other.payloads == [b"x"])
    link.close()


@needs_redis
@pytest_twisted.ensureDeferred
async def test_a_connection_that_is_lost_fails_what_is_asked(redis: RedisServer) -> None:
    lost: list[str] = []
    store = await opener_of(redis.url).open(lambda _: None, lost.append)
    await store.join("t", None)
    redis.ask("CLIENT", "KILL", "TYPE", "normal")
    await until(lambda: lost)
    with pytest.raises(Unreachable):
        await store.join("t", None)
    assert len(lost) == 1
    store.close()


@needs_redis
@pytest_twisted.ensureDeferred
async def test_a_redis_that_refuses_is_told_by_its_own_words(redis: RedisServer) -> None:
    store = await opener_of(redis.url).open(lambda _: None, lambda _: None)
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(Refused, match="OOM"):
            await store.publish("t", [Given(b"x", None, None)])
    finally:
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        store.close()


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "txredisapi", None)
    with pytest.raises(ImportError, match=r"pip install 'txremote\[redis\]'"):
        opener_of("redis://localhost")
