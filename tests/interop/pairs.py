"""
Every pair of RPyC and txremote: the same object looked at over each. Not a test file.

A server and a client of either library, and an object of the server's or of the
client's, make eight ways. In the two with RPyC at both ends is what is right. All run
in threads of this process, over loopback.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import rpyc as stock
import rpyc.utils.server as stock_server

import txremote.blocking as own
from txremote.blocking.utils import server as own_server

Look = Callable[[Any], Any]

#: Which library is at which end.
PAIRS = [(server, client) for server in ("rpyc", "txremote") for client in ("rpyc", "txremote")]

#: Whose the object is.
OWNERS = ("server", "client")


class Desk:
    """
    Gives objects to its clients, and looks at theirs.

    Args:
        makes: What there is to give, by name.
        looks: What there is to do with an object, by name.
    """

    def __init__(self, makes: Mapping[str, Callable[[], Any]], looks: Mapping[str, Look]) -> None:
        super().__init__()
        self._makes = makes
        self._looks = looks

    def exposed_make(self, name: str) -> Any:
        return self._makes[name]()

    def exposed_ping(self) -> None:
        """Take what the client gives back."""

    def exposed_look(self, name: str, obj: Any) -> Any:
        return self._looks[name](obj)


def _hurry(conn: Any) -> None:
    """Have RPyC send two answers in a row at once: it takes 40 ms, and hundreds do here."""
    conn._channel.stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class StockDesk(Desk, stock.Service):  # type: ignore[misc]  # rpyc has no types
    def on_connect(self, conn: Any) -> None:
        _hurry(conn)


class OwnDesk(Desk, own.Service):
    pass


_LIBRARIES: dict[str, tuple[Any, Any, Any]] = {
    "rpyc": (stock, stock_server.ThreadedServer, StockDesk),
    "txremote": (own, own_server.ThreadedServer, OwnDesk),
}


class Pairs:
    """
    A connection for each pair.

    Args:
        makes: The objects, by name.
        looks: What is done with one, by name. The result is a value.
        config: The switches of both ends.
    """

    def __init__(
        self,
        makes: Mapping[str, Callable[[], Any]],
        looks: Mapping[str, Look],
        config: Mapping[str, Any],
    ) -> None:
        self._makes = makes
        self._looks = looks
        self._config = dict(config)
        self._stack = ExitStack()
        self._roots: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> Pairs:
        ports = {name: self._serve(name) for name in _LIBRARIES}
        for server, client in PAIRS:
            library = _LIBRARIES[client][0]
            conn = library.connect("127.0.0.1", ports[server], config=self._config)
            self._stack.callback(conn.close)
            if client == "rpyc":
                _hurry(conn)
            self._roots[server, client] = conn.root
        return self

    def __exit__(self, *args: object) -> None:
        self._roots.clear()
        self._stack.close()

    def _serve(self, name: str) -> int:
        _library, kind, desk = _LIBRARIES[name]
        server = kind(
            desk(self._makes, self._looks),
            hostname="127.0.0.1",
            port=0,
            protocol_config=self._config,
            **({"logger": _Silent()} if name == "rpyc" else {}),
        )
        if name == "rpyc":
            server._listen()  # its start() does, in a thread that may be late
        thread = threading.Thread(target=server.start, daemon=True)
        thread.start()

        def end() -> None:
            server.close()
            thread.join(20)

        self._stack.callback(end)
        return int(server.port)

    def root(self, server: str, client: str) -> Any:
        """Return the server's desk as the client has it."""
        return self._roots[server, client]

    def see(self, make: str, look: str, server: str, client: str, owner: str) -> Any:
        """Return what a look at an object gives, or the kind of its error."""
        root = self._roots[server, client]
        try:
            if owner == "server":
                return self._looks[look](root.make(make))
            return root.look(look, self._makes[make]())
        except Exception as error:
            return f"raises {type(error).__name__}"

    def ways(self, make: str, look: str) -> Iterator[tuple[str, Any, Any]]:
        """
        Give the ways that have txremote at one end or both, each with what is seen and
        what RPyC sees.
        """
        for owner in OWNERS:
            wanted = self.see(make, look, "rpyc", "rpyc", owner)
            for server, client in PAIRS[1:]:
                way = f"{server} server, {client} client, the {owner}'s {make}"
                yield way, self.see(make, look, server, client, owner), wanted

    def wrong(self, make: str, look: str) -> list[str]:
        """
        Return over which ways a look at the server's object gives neither what it gives
        here, nor what it gives RPyC, nor a refusal where RPyC refuses, too, or is wrong.
        """
        right = self._looks[look](self._makes[make]())
        found = []
        for server, client in PAIRS[1:]:
            seen = self.see(make, look, server, client, "server")
            if seen != right and not (_refused(seen) and _refused(right)):
                wanted = self.see(make, look, "rpyc", "rpyc", "server")
                if seen != wanted and (wanted == right or not _refused(seen)):
                    way = f"{server} server, {client} client"
                    found.append(f"{look} {make}, {way}: {seen}; here {right}, by RPyC {wanted}")
        return found


def _refused(seen: str) -> bool:
    return seen.startswith("raises ")


class _Silent:
    """A logger that says nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


def told(function: Callable[[], Any]) -> Any:
    """Return what a function gives as a value that tells it from others, or its error."""
    try:
        found = function()
    except Exception as error:
        return f"raises {type(error).__name__}"
    kind = type(found)
    if kind in (int, float, complex, str, bytes, bool, type(None)):
        return f"{kind.__name__} {found!r}"
    if kind in (tuple, list):
        return f"{kind.__name__} ({', '.join(told(lambda item=item: item) for item in found)})"
    with contextlib.suppress(Exception):
        return f"a {found.____id_pack__[0]}"
    return f"a {kind.__name__} here"
