"""
`LiveConfig`: a connection's options as RPyC's ``conn._config`` shows them.

Options are fixed before the connection is made, for most of them decide what a peer may reach.
``sync_request_timeout`` concerns this side alone, and published programs set it on live
connections (``conn._config["sync_request_timeout"] = 300``), so that works.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NoReturn, TypeAlias

from txremote.refs.reference import RequestSender

#: The option that may be set on a live connection.
SETTABLE = "sync_request_timeout"

#: An address: host and port, the path of a UNIX socket, or None where it has none.
Endpoint: TypeAlias = tuple[str, int] | bytes | None


class LiveConfig(Mapping[str, Any]):
    """The options of a connection, with RPyC's ``credentials``, ``connid`` and ``endpoints``."""

    def __init__(
        self, protocol: RequestSender, endpoints: tuple[Endpoint, Endpoint] | None
    ) -> None:
        self._protocol = protocol
        self._endpoints = endpoints

    def _values(self) -> dict[str, object]:
        protocol = self._protocol
        config = protocol.config
        return {
            **{each.name: getattr(config, each.name) for each in fields(config)},
            "credentials": protocol.avatar,
            "connid": f"conn{id(protocol)}",
            "endpoints": self._endpoints,
        }

    def __getitem__(self, name: str) -> Any:
        return self._values()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __setitem__(self, name: str, value: object) -> None:
        """Set ``sync_request_timeout``, in seconds; TypeError for another option's new value."""
        self.update({name: value})

    def update(
        self, changes: Mapping[str, object] | Iterable[tuple[str, object]] = (), /, **named: object
    ) -> None:
        """Set ``sync_request_timeout``, and no other option; see `__setitem__`."""
        wanted = {**dict(changes), **named}
        now = self._values()
        for name in set(wanted) & (set(now) - {SETTABLE}):
            if wanted[name] == now[name]:
                del wanted[name]
        if set(wanted) - {SETTABLE}:
            self._refuse()
        self._protocol.config = self._protocol.config.replace(**wanted)

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(
            "the configuration of a live connection does not change, but for "
            f"{SETTABLE}: give it as config= to listen() or connect(), or as "
            "ThreadedServer(protocol_config=...); for RPyC's classic mode use txremote's "
            "ClassicService"
        )

    __delitem__ = pop = popitem = clear = setdefault = _refuse
