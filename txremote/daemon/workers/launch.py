"""
`Launch`: a worker's options, given before it starts; and the sockets that it inherits.

The supervisor writes it into the control socket before anything else is said there, so it stands
in no command line and no environment: options may have passwords in them.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final

import msgspec
from msgspec import Struct
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.interfaces import IStreamServerEndpoint

from txremote.daemon.addresses import EndpointMaker
from txremote.net.shared_ports import share
from txremote.refs.clock import Reactor

#: The descriptor of the control socket in a worker, and the first of those that it listens on.
CONTROL: Final = 3
FIRST_SOCKET: Final = 4

#: The variable with a worker's number, for the program that is hosted.
NUMBER_VARIABLE: Final = "TXREMOTE_WORKER"

_LENGTH: Final = 4  # bytes


class Launch(Struct, frozen=True):
    """
    The options with which a worker starts.

    Attributes:
        number: Its place, from 1 on: that of the worker which it replaces, too.
        serial: How many workers were started before it, and itself: no two have the same.
        options: Those of ``twistd txremote``, as twistd has read them.
        folder: Where twistd was started.
        working: Where twistd works, once it has started.
        reactor: The module of the reactor.
        sockets: The descriptions of the addresses, in the order of the descriptors.
        levels: How much is logged, as `Levels.told` tells it; None: what the plan says.
        loop: The class of the reactor's asyncio loop, ``MODULE:NAME``; "" if it has none.
    """

    number: int
    serial: int
    options: dict[str, Any]
    folder: str
    working: str
    reactor: str
    sockets: tuple[str, ...]
    levels: tuple[list[str], bool] | None = None
    loop: str = ""

    def as_bytes(self) -> bytes:
        """Return it as `received` reads it."""
        text = msgspec.json.encode(self)
        return len(text).to_bytes(_LENGTH, "big") + text


def received(control: socket.socket) -> Launch:
    """Read what a worker is told. EOFError: the supervisor is gone."""
    length = int.from_bytes(_exactly(control, _LENGTH), "big")
    return msgspec.json.decode(_exactly(control, length), type=Launch)


def _exactly(control: socket.socket, length: int) -> bytes:
    read = b""
    while len(read) < length:
        part = control.recv(length - len(read))
        if not part:
            raise EOFError("the supervisor is gone")
        read += part
    return read


def loop_of(reactor: object) -> str:
    """Return what `Launch.loop` is of a reactor."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    kind = type(loop)
    name = f"{kind.__module__}:{kind.__qualname__}"
    return "" if loop is None or "<" in name else name  # one that a function has made is its own


def install_reactor(launch: Launch) -> None:
    """Install the reactor of a worker: that of its supervisor, on the same kind of loop."""
    module: Any = import_module(launch.reactor)
    if not launch.loop:
        module.install()
        return
    where, _colon, name = launch.loop.partition(":")
    loop = getattr(import_module(where), name)()
    asyncio.set_event_loop(loop)
    module.install(loop)


def words_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, as JSON can have them: a file by its whole path."""
    plain = (str, int, list)
    given = {name: value for name, value in options.items() if value and isinstance(value, plain)}
    given = {
        name: value
        for name, value in given.items()
        if not isinstance(value, list) or all(isinstance(each, str) for each in value)
    }
    if "config" in given:
        given["config"] = os.path.abspath(str(given["config"]))
    return given


class InheritedSockets(EndpointMaker):
    """Makes the endpoints of a worker, which listen on the sockets that it has inherited."""

    opens = False

    def __init__(self, descriptions: Iterable[str], first: int = FIRST_SOCKET) -> None:
        self._sockets: dict[str, list[socket.socket]] = {}
        for number, description in enumerate(descriptions, first):
            os.set_inheritable(number, False)
            found = socket.socket(fileno=number)
            found.setblocking(False)
            self._sockets.setdefault(description, []).append(found)

    def endpoint(self, reactor: Reactor, description: str) -> IStreamServerEndpoint:
        """Return the endpoint of a description. ValueError: it was not there at the start."""
        found = self._sockets.get(description)
        if not found:
            raise ValueError(
                "the supervisor does not listen there: a new address needs a restart of the whole "
                "server, and not SIGHUP"
            )
        # two servers with tcp:0 have a port each
        shared = found.pop(0) if len(found) > 1 else found[0]
        if description.startswith("systemd:"):
            # it closes the descriptor that it is given
            adopted: Any = AdoptedStreamServerEndpoint
            made: Any = adopted(reactor, os.dup(shared.fileno()), shared.family)
        else:
            made = super().endpoint(reactor, description)
        return share(made, shared, reactor)
