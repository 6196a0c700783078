"""
`Flavour`: what a call of a remote method gives in a reactor, in asyncio and in a script.

A reactor's call gives a ``Deferred``, of which ``await`` gives the result. asyncio's gives an
``Awaitable``. A script's gives the result itself. Attributes are read likewise: by ``await``, or
at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FlavourName = Literal["reactor", "asyncio", "scripts"]


@dataclass(frozen=True, slots=True)
class Flavour:
    """
    One way to call.

    Attributes:
        name: As the command line says it.
        prefix: The beginning of its Protocols' names.
        about: For the docstring of its Protocols.
        call: The type that a call gives: a module and a generic class in it; None: the result.
        iterator: Its type for an iterator of items.
        iterable: Its type for an iterable.
    """

    name: FlavourName
    prefix: str
    about: str
    call: tuple[str, str] | None
    read: tuple[str, str] | None
    iterator: str
    iterable: str


_AWAITABLE = ("collections.abc", "Awaitable")

FLAVOURS = (
    Flavour(
        "reactor",
        "Reactor",
        "in a reactor",
        ("twisted.internet.defer", "Deferred"),
        _AWAITABLE,
        "AsyncIterator",
        "AsyncIterable",
    ),
    Flavour(
        "asyncio", "Asyncio", "in asyncio", _AWAITABLE, _AWAITABLE, "AsyncIterator", "AsyncIterable"
    ),
    Flavour("scripts", "Script", "in a script", None, None, "Iterator", "Iterable"),
)
