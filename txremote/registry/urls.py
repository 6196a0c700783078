"""
How a registry is named.

=================================  ===============================================================
``rpyc://HOST[:PORT]``             RPyC's registry, by UDP; port 18811 if none is said
``rpyc+tcp://HOST[:PORT]``         the same by TCP, which goes where datagrams do not
``rpyc://255.255.255.255``         whichever registry of the local network answers a broadcast
``redis://[:PASSWORD@]HOST[:PORT][/DB]``  Redis; ``rediss://`` by TLS
``unix:///PATH/TO/SOCKET``         Redis on this machine
=================================  ===============================================================

IPv6 addresses stand in brackets. Where no URL is given, the variable ``TXREMOTE_REGISTRY`` has it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from txremote.registry.messages import REGISTRY_PORT

VARIABLE: Final = "TXREMOTE_REGISTRY"
FORMS: Final = "rpyc://HOST[:PORT], rpyc+tcp://HOST[:PORT], redis://HOST[:PORT] or unix:///PATH"

_RPYC: Final = {"rpyc": "udp", "rpyc+udp": "udp", "rpyc+tcp": "tcp"}
_REDIS_PORT: Final = 6379


@dataclass(frozen=True, repr=False)
class RegistryURL:
    """
    The name of a registry, taken apart.

    Attributes:
        kind: ``"udp"`` or ``"tcp"`` for RPyC's, ``"redis"``, ``"rediss"`` or ``"redis+unix"``.
        host: A host name or an address.
        port: The port.
        path: Of a UNIX socket.
        database: Redis's number.
        user: Redis's user, if one is said.
        password: Redis's, if one is said.
    """

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""
    database: int = 0
    user: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        """Return it without the password."""
        if self.path:
            return f"unix://{self.path}"
        scheme = {"udp": "rpyc", "tcp": "rpyc+tcp"}.get(self.kind, self.kind)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"<{self}>"

    @property
    def is_rpyc(self) -> bool:
        """Whether it is of RPyC's kind."""
        return self.kind in ("udp", "tcp")

    @property
    def is_broadcast(self) -> bool:
        """Whether a whole network is asked, as RPyC has it."""
        return self.kind == "udp" and "255" in self.host.split(".")

    @property
    def is_here(self) -> bool:
        """Whether it is known to be on this machine."""
        return bool(self.path) or self.host in ("localhost", "::1") or self.host.startswith("127.")


def registry_url(text: str | None) -> RegistryURL:
    """
    Take the name of a registry apart.

    Args:
        text: The URL; None for the one in the environment.

    Raises:
        ValueError: It is none; no sentence has a password in it.
    """
    text = text or os.environ.get(VARIABLE)
    if not text:
        raise ValueError(f"no registry is named: say --registry URL, or set {VARIABLE}: {FORMS}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as problem:
        raise ValueError(f"the registry's URL makes no sense ({problem}): it is {FORMS}") from None
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if parts.query or parts.fragment:
        raise ValueError(f"{shown} has something behind it: it is {FORMS}")
    if parts.scheme == "unix" and parts.path and not parts.hostname:
        return RegistryURL("redis+unix", path=unquote(parts.path), password=_text(parts.password))
    if not parts.hostname or parts.scheme not in (*_RPYC, "redis", "rediss"):
        raise ValueError(f"{shown!r} names no registry: it is {FORMS}")
    if parts.scheme in _RPYC:
        if parts.username is not None or parts.path not in ("", "/"):
            raise ValueError(f"{shown} has too much in it: RPyC's registry is rpyc://HOST[:PORT]")
        return RegistryURL(_RPYC[parts.scheme], parts.hostname, port or REGISTRY_PORT)
    database = parts.path.strip("/") or "0"
    if not (database.isascii() and database.isdigit()):
        raise ValueError(f"{shown}: a database of Redis's is a number, not {database!r}")
    return RegistryURL(
        parts.scheme,
        parts.hostname,
        port or _REDIS_PORT,
        database=int(database),
        user=_text(parts.username) or None,
        password=_text(parts.password),
    )


def _text(quoted: str | None) -> str | None:
    return None if quoted is None else unquote(quoted)
