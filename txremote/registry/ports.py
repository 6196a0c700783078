"""
The interface of a registry, which knows where the servers of a name are.

A `Registry` is asked where a name is served (`Registry.find`), or watched; servers enter
themselves and are kept listed until they leave (`Registry.register`). Its URL says
whether RPyC's protocol or Redis stands behind it (`txremote.registry.choosing.registry_from`).

Names of services do not distinguish capitals, as RPyC's registry does not. A registry is not
to be trusted: anyone who reaches it can enter a place. So what connects to a found place sends
a login only over TLS that has checked the server's certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from twisted.internet.defer import Deferred

from txremote.servername import quoted

#: Seconds between two looks at a registry that is watched.
WATCH_EVERY = 5.0


@dataclass(frozen=True)
class Place:
    """
    Where a server of a name is.

    Attributes:
        host: Its address or host name; of a UNIX socket, the path.
        port: Its port; 0 for a UNIX socket.
        scheme: ``"tcp"``, ``"tls"`` or ``"unix"``.
        load: How busy it says it is, 0 for idle; None where it does not say, as in RPyC's
            protocol.
        key: The key that the server goes by, the same for as long as it lives, in order to find it
            again. Where the registry has none it is made of the address.
    """

    host: str
    port: int
    scheme: str = "tcp"
    load: float | None = None
    key: str = ""

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", self.name)

    @property
    def is_anywhere(self) -> bool:
        """Whether it has no address of its own: the registry takes the one that it sees."""
        return self.scheme != "unix" and self.host in ("", "0.0.0.0", "::")

    @property
    def name(self) -> str:
        """The server's name, as everything that connects takes it: ``tcp:HOST:PORT``."""
        if self.scheme == "unix":
            return f"unix:{quoted(self.host)}"
        return f"{self.scheme}:{quoted(self.host)}:{self.port}"


Changed: TypeAlias = Callable[[tuple[Place, ...]], object]


class Watch(Protocol):
    """One name that is looked at again and again."""

    def stop(self) -> None:
        """Look no more; nothing is called after this."""


class Registration(Protocol):
    """A server's entry in a registry, renewed until it leaves."""

    def load(self, load: float) -> None:
        """Say how busy the server is, from the next renewal on."""

    def leave(self) -> Deferred[None]:
        """Take the entry out, and renew it no more. The Deferred does not fail: it goes anyway,
        by its lease, where the registry cannot be told."""


class Registry(Protocol):
    """
    A registry, to be used in the thread of its reactor.

    A question that has no answer in its time fails with
    `txremote.errors.RegistryUnreachable`.
    """

    def find(self, name: str) -> Deferred[tuple[Place, ...]]:
        """Return where a name is served; no place, if nobody serves it."""

    def watch(self, name: str, changed: Changed, every: float = WATCH_EVERY) -> Watch:
        """
        Call a function with the places of a name, at first and whenever they are others.

        A registry that cannot be reached changes nothing: what was found last stands.

        Args:
            name: The service's.
            changed: Called in the reactor's thread; what it raises is logged.
            every: Seconds between two looks.
        """

    def register(self, names: tuple[str, ...], place: Place) -> Registration:
        """
        Enter a server under some names, and renew that until its `Registration` leaves.

        A registry that cannot be reached is tried again, and that is logged. An empty or an
        unspecified host (``0.0.0.0``) is the address that the registry sees.
        """

    def list(self) -> Deferred[tuple[str, ...]]:
        """Return the names that are served. It fails with `RegistryRefused` if the registry
        does not tell."""

    def close(self) -> Deferred[None]:
        """Stop what watches, let go of connections; registrations are left by themselves."""
