"""
How the log names a peer: by its address, and by its user where it has logged in.

Each event about a peer has the text of its address as ``peer``, ``127.0.0.1:42662`` or ``unix``.
Where the user is known its sentence begins with ``who``, ``ann at 127.0.0.1:42662``.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from txremote.wire.naming import readable

_LONGEST_USER = 100  # characters of a name; with more its beginning is shown


class Named(Protocol):
    """A connection, as far as the log names it."""

    @property
    def peer(self) -> IAddress | None:
        """The peer's address."""

    @property
    def user(self) -> str | None:
        """The name of the user that has logged in, or None."""


def address_text(address: object) -> str:
    """Return an address as people write it: ``127.0.0.1:42662``, ``[::1]:42662`` or ``unix``."""
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, UNIXAddress):  # a client's has no name that would say more
        return "unix"
    return "nobody" if address is None else str(address)


def peer_text(peer: object, user: str | None) -> str:
    """Return a peer as a sentence begins with it: its user, if it has logged in, and where."""
    where = address_text(peer)
    return where if user is None else f"{user_text(user)} at {where}"


def user_text(user: str) -> str:
    """Return a user's name for a log of lines: on one line, and not endless."""
    if len(user) > _LONGEST_USER:
        user = f"{user[:_LONGEST_USER]}..."
    return readable(user)


def about(connection: Named) -> dict[str, object]:
    """Return the fields of an event that say which peer it is about."""
    peer, user = connection.peer, connection.user
    return {"who": peer_text(peer, user), "peer": address_text(peer), "user": user}
