"""
`LiveConfig`: a connection's switches as RPyC's ``conn._config`` shows them.

They are fixed before the connection is made, for what they open is decided then. One
opens nothing and concerns this side alone, and published programs set it all the time:
``conn._config["sync_request_timeout"] = 300``. That one works. Setting another to the value
that it has changes nothing, and works too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, NoReturn

#: The switch that may be set on a live connection.
SETTABLE = "sync_request_timeout"


class LiveConfig(Mapping[str, Any]):
    """
    The switches of a connection, RPyC's ``credentials``, ``connid`` and ``endpoints``
    among them.

    Args:
        protocol: The `Connection`.
        endpoints: Its own address and its peer's, as pairs of host and port, or the
            paths of UNIX sockets; None where it has none.
    """

    def __init__(self, protocol: Any, endpoints: tuple[Any, Any] | None) -> None:
        self._protocol = protocol
        self._endpoints = endpoints

    def _values(self) -> dict[str, Any]:
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

    def __setitem__(self, name: str, value: Any) -> None:
        """
        Set ``sync_request_timeout``: how long calls that begin from now on wait.

        Args:
            name: The switch.
            value: Seconds, or None for ever.

        Raises:
            TypeError: it is another switch, and does not have this value.
            ValueError: the number of seconds is not positive.
        """
        self.update({name: value})

    def update(self, *changes: Any, **named: Any) -> None:
        """
        Set ``sync_request_timeout``, if nothing else is to become different; see `__setitem__`.
        """
        wanted = dict(*changes, **named)
        now = self._values()
        for name in set(wanted) & (set(now) - {SETTABLE}):
            if wanted[name] == now[name]:
                del wanted[name]
        if set(wanted) - {SETTABLE}:
            self._refuse()
        self._protocol.config = self._protocol.config.replace(**wanted)

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "the configuration of a live connection does not change, but for "
            f"{SETTABLE}: give it as config= to listen() or connect(), or as "
            "ThreadedServer(protocol_config=...); for RPyC's classic mode use txremote's "
            "ClassicService"
        )

    __delitem__ = pop = popitem = clear = setdefault = _refuse
