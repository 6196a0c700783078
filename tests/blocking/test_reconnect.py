"""How a client that reconnects is asked for: names of servers, and what is refused at once."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import linked, scripted, serving
from txremote.registry.dialled import in_order


class Shop(rpyc.Service):
    def exposed_add(self, a: int, b: int) -> int:
        return a + b


@scripted
def test_a_server_is_named_in_each_way() -> None:
    with serving(Shop) as server:
        for words in (
            (server.host, server.port),
            (f"{server.host}:{server.port}",),
            (f"tcp:{server.host}:{server.port}",),
            (lambda: rpyc.connect(server.host, server.port),),
        ):
            with rpyc.reconnecting(*words) as client:
                assert client.root.add(1, 2) == 3


@pytest.mark.parametrize(
    ("words", "options", "error", "text"),
    [
        (("localhost",), {}, ValueError, "names no server"),
        (("localhost", 0), {}, ValueError, "a port is a number"),
        (("tls:localhost:1:ca=/no/file",), {}, OSError, "/no/file"),
        (("tcp:localhost:1:bindAddress=x",), {}, ValueError, "has no option bindAddress="),
        (("localhost:1",), {"service": 7}, TypeError, "ervice"),
        (("localhost:1",), {"pick": "round-robin"}, ValueError, "least-busy or sticky, not"),
        (("localhost:1",), {"sticky_key": "a"}, ValueError, "goes with pick='sticky'"),
        ((rpyc.connect,), {"pick": "sticky"}, TypeError, "a function that connects gives"),
        (("localhost:1",), {"wait_timeout": 0}, ValueError, "wait_timeout is a positive number"),
        ((rpyc.connect, 1), {}, TypeError, "a function that connects gives the port"),
        ((rpyc.connect,), {"config": {}}, TypeError, "the config itself"),
    ],
)
def test_what_can_never_work_is_refused_at_once(
    words: Any, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        rpyc.reconnecting(*words, **options)


@scripted
def test_a_sticky_client_has_the_same_server_whenever_it_can_be_reached() -> None:
    """Whatever the order of their names, and also after a restart of the client."""
    with serving(Shop) as one, serving(Shop) as other:
        names = [f"{each.host}:{each.port}" for each in (one, other)]

        for first in names:
            keys = map(str, count())
            key = next(key for key in keys if in_order(key, names, str)[0] == first)
            for given in (names, names[::-1]):
                with rpyc.reconnecting(given, pick="sticky", sticky_key=key) as client:
                    peer = client.connected().protocol.peer
                    assert f"{peer.host}:{peer.port}" == first


@scripted
def test_an_address_of_six_takes_a_port_beside_it() -> None:
    with rpyc.reconnecting("::1", 9, retry_policy=lambda _failures: 100) as client:
        assert "[::1]:9" in repr(client)


@scripted
def test_the_first_connection_may_be_there_already() -> None:
    with linked(Shop) as conn, rpyc.reconnecting(lambda: conn) as client:
        assert client.connected() is conn
