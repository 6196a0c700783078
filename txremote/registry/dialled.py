"""
How a place that a registry named is dialled.

A registry can be spoofed, so what it says is never a reason for trust. Whether there is TLS, and
whose certificate is good, says the client, in the name that it asks by: with ``ca=``, ``cert=`` or
``hostname=`` in ``registry:NAME:...`` each place is dialled by TLS, whatever the registry says. A
login is sent only where the certificate shows that the place is one of yours, which one that
is merely good for the host that the registry named does not: anyone can have such a one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import blake2b
from typing import Final, TypeVar

from txremote.errors import NotServed
from txremote.registry.ports import Place
from txremote.servername import ServerName, quoted, server_name

P = TypeVar("P")

#: Places of one name that are looked at: a registry may name any number.
MAX_PLACES: Final = 100

_TLS: Final = {"ca", "cert", "key", "hostname"}
_OURS: Final = {"ca", "hostname"}


def check_login(named: ServerName) -> None:
    """Raise ValueError where a login must not be sent to the places of a name."""
    if named.kind == "registry" and not named.options.keys() & _OURS:
        raise ValueError(
            f"{named.text}: a registry can be spoofed, so a login is sent only over TLS that shows "
            f"that the place is one of yours: say registry:{named.service}:ca=FILE, the authority "
            "of your servers, or hostname=NAME, the name in all their certificates"
        )


def check_no_registry(registry: object, server: object) -> None:
    """Raise ValueError where a registry is given for a server that is named otherwise."""
    if registry is not None:
        raise ValueError(f"registry= goes with registry:NAME, and not with {server!r}")


def none_named(service: str, some: bool) -> str:
    """Return why there is nothing to dial, where the registry has named some places or none."""
    kind = " that can be dialled" if some else ""
    return f"the registry names no place of {service}{kind}"


def none_reached(service: str, problems: list[str]) -> str:
    """Return why there is no connection."""
    return f"no place of {service} was reached: {'; '.join(problems)}"


def dialled(place: Place, named: ServerName) -> str | None:
    """
    Return the server's name by which a place is dialled, or None where it cannot be, or must not
    be, since the name wants TLS and the place has none.
    """
    options = dict(named.options)
    if not options.keys() & _TLS:
        name = place.name
    elif place.scheme == "unix":
        return None
    else:
        name = replace(place, scheme="tls").name
    if place.scheme == "unix":
        options.pop("timeout", None)
    text = "".join([name, *(f":{each}={quoted(word)}" for each, word in options.items())])
    try:
        return text if server_name(text).kind in ("tcp", "tls", "unix") else None
    except ValueError:  # a port that is none, an empty host
        return None


def names_to_try(
    places: Iterable[Place], named: ServerName, sticky_key: str | None = None
) -> list[str]:
    """Return the servers' names of places, in the order in which they are tried: with a key the
    same server first each time. NotServed: no place can be dialled."""
    if sticky_key is None:
        tried = first_to_try(places)
    else:
        tried = in_order(sticky_key, places, lambda place: place.key)[:MAX_PLACES]
    found = [dialled(place, named) for place in tried]
    names = [name for name in found if name is not None]
    if not names:
        raise NotServed(none_named(named.service, bool(found)))
    return names


def in_order(key: str, places: Iterable[P], key_of: Callable[[P], str]) -> list[P]:
    """
    Return places in an order that is another one for each key, and stays as it is for those that
    are left when one goes.
    """

    def rank(place: P) -> bytes:
        return blake2b(f"{key}\n{key_of(place)}".encode(errors="surrogatepass")).digest()

    return sorted(places, key=rank)


def first_to_try(places: Iterable[Place]) -> list[Place]:
    """Return places in the order in which they are tried: the least busy first, else by chance."""
    shuffled = random.sample(found := list(places)[:MAX_PLACES], len(found))
    return sorted(shuffled, key=lambda place: place.load or 0.0)
