"""
One listening socket of several processes: two ports of it here, each with a descriptor of its own.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.interfaces import IListeningPort

from txremote import Service, connect
from txremote.net.listen import ServingFactory, listen_guarded
from txremote.net.shared_ports import share
from txremote.net.unixsockets import server_endpoint


class Named(Service):
    """Says which of the two it is."""

    def __init__(self, name: str) -> None:
        self.exposed_name = name


async def listening(shared: socket.socket, name: str, where: str) -> IListeningPort:
    """Listen on a shared socket, as another process would."""
    endpoint = share(server_endpoint(reactor, where), shared, reactor)  # type: ignore[arg-type]
    return await listen_guarded(endpoint, ServingFactory(reactor, Named(name)), None)  # type: ignore


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest_twisted.ensureDeferred
async def test_one_that_stops_takes_nobody_with_it(kind: str, tmp_path: Path) -> None:
    """Neither those that wait in the queue, nor the socket, nor its file."""
    path = tmp_path / "s"
    if kind == "tcp":
        made = socket.create_server(("127.0.0.1", 0))
        where = f"127.0.0.1:{made.getsockname()[1]}"
        description = "tcp:1:interface=127.0.0.1"
    else:
        made = socket.socket(socket.AF_UNIX)
        made.bind(str(path))
        made.listen(50)
        where = description = f"unix:{path}"
    made.setblocking(False)
    with made:
        first = await listening(made, "first", description)
        second: Any = await listening(made, "second", description)
        second.stopReading()
        waiting = [connect(where) for _ in range(8)]
        conns = [await each for each in waiting]
        assert {await each.root.name for each in conns} == {"first"}
        await first.stopListening()  # type: ignore[misc]
        waiting = [connect(where) for _ in range(3)]
        second.startReading()
        conns += [await each for each in waiting]
        assert await conns[-1].root.name == "second"
        for each in conns:
            await each.close()
        await second.stopListening()
    assert kind == "tcp" or path.exists()


def test_an_endpoint_that_has_no_reactor_to_listen_by_is_refused() -> None:
    """Of another package's, say."""
    with socket.socket() as made:
        adopted = AdoptedStreamServerEndpoint(reactor, 0, socket.AF_INET)
        assert share(adopted, made, reactor) is adopted  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="workers cannot share what object listens on"):
            share(object(), made, reactor)  # type: ignore[arg-type]
