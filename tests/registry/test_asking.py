"""One question and its answer, or a sentence why there is none."""

from __future__ import annotations

import re
import socket

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from txremote.errors import RegistryUnreachable
from txremote.registry.asking import asking
from txremote.registry.choosing import registry_from
from txremote.registry.messages import Query, encoded
from txremote.registry.urls import registry_url

WAYS = ["rpyc", "rpyc+tcp"]


@pytest.mark.parametrize("way", WAYS)
@pytest_twisted.ensureDeferred
async def test_a_registry_that_is_not_there_is_said_at_once(way: str) -> None:
    """Without waiting for a time-out, and by the name of the registry."""
    with pytest.raises(RegistryUnreachable, match=re.escape(f"at {way}://127.0.0.1:1 cannot")):
        await registry_from(f"{way}://127.0.0.1:1", reactor).find("shop")
    with pytest.raises(RegistryUnreachable, match=r"no address is known of 'nowhere.invalid'|look"):
        await registry_from(f"{way}://nowhere.invalid", reactor).find("shop")


@pytest_twisted.ensureDeferred
async def test_what_answers_and_is_no_registry_is_named_so() -> None:
    """By UDP and TCP: an answer that is none, and none at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))

        def answer() -> None:
            for _ in range(2):
                other.sendto(b"\xffnonsense", other.recvfrom(2000)[1])

        answering = deferToThread(answer)
        client = registry_from(f"rpyc://127.0.0.1:{other.getsockname()[1]}", reactor)
        with pytest.raises(RegistryUnreachable, match="is no registry"):
            await client.find("shop")
        await answering
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            for _ in range(2):
                listening.accept()[0].close()

        hanging_up = deferToThread(hang_up)
        client = registry_from(f"rpyc+tcp://127.0.0.1:{listening.getsockname()[1]}", reactor)
        with pytest.raises(RegistryUnreachable, match="cannot be reached"):
            await client.find("shop")
        await hanging_up


@pytest_twisted.ensureDeferred
async def test_a_datagram_of_somebody_else_is_no_answer() -> None:
    """The socket takes those of the registry alone."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as registry,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        registry.bind(("127.0.0.1", 0))
        url = registry_url(f"rpyc://127.0.0.1:{registry.getsockname()[1]}")
        answering = asking(url, reactor, reactor)(encoded(Query("shop")))

        def answer() -> None:
            question, client = registry.recvfrom(2000)
            assert question == encoded(Query("shop"))
            stranger.sendto(b"forged", client)
            registry.sendto(b"true", client)

        await deferToThread(answer)
        assert await answering == b"true"


@pytest_twisted.ensureDeferred
async def test_a_registry_that_is_silent_is_given_up_in_time() -> None:
    """And no socket is left."""
    clock = Clock()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = registry_url(f"rpyc://127.0.0.1:{silent.getsockname()[1]}")
        before = len(reactor.getReaders())
        answering = asking(url, reactor, clock, timeout=2)(b"x")
        assert len(reactor.getReaders()) == before + 1
        clock.advance(2)
        with pytest.raises(RegistryUnreachable, match="no answer within 2 s"):
            await answering
        await deferLater(reactor, 0)
        assert len(reactor.getReaders()) == before
