"""
Copies of a stock peer's objects, for parameters that are annotated as values.

A stock RPyC sends a list, a dict or an object of a class of its own by reference. Before an
annotated method runs, they are copied from the peer (`txremote.refs.copying`), in the
connection's context: all parameters of a call together, within ``sync_request_timeout``. A log
event of level debug tells what it cost, for a tuple would have cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred, fail

from txremote.config import ConnectionConfig
from txremote.errors import AsyncResultTimeout
from txremote.peer.logging import logger_for
from txremote.refs.copying import Copier, Copying
from txremote.refs.ports import Answer
from txremote.refs.reference import RemoteReference
from txremote.refs.wanted import Request, Wanted

_log = logger_for("values")


class Asking(Protocol):
    """The connection that a copy is made over, as far as it is used."""

    @property
    def config(self) -> ConnectionConfig:
        """Its limits."""

    @property
    def is_txremote(self) -> bool:
        """Whether the peer has said that it is a txremote."""

    def seconds(self) -> float:
        """Return the time of its clock."""


class Wish(NamedTuple):
    """
    A value to copy.

    Attributes:
        value: A `RemoteReference`, or a tuple with such in it.
        wanted: The parts of it that are copied.
        path: Its name in errors: the parameter's.
    """

    value: object
    wanted: Wanted
    path: str


def copied(connection: Asking, wishes: Sequence[Wish]) -> Deferred[list[object]]:
    """
    Copy values from a peer that has them by reference. In the connection's context.

    Returns:
        A Deferred of the copies, as `txremote.values` takes them. It fails with a TypeError that
        names the path where something cannot be copied or is too much, with AsyncResultTimeout
        after ``sync_request_timeout``, and with what the peer answers. It may be cancelled.
    """
    config = connection.config
    began = connection.seconds()
    timeout = config.sync_request_timeout

    def send(request: Request) -> Answer:
        target = request.args[0]
        assert type(target) is RemoteReference
        left = None if timeout is None else began + timeout - connection.seconds()
        if left is not None and left <= 0:
            raise AsyncResultTimeout(
                f"the arguments were not copied within {timeout:g} s (option sync_request_timeout)"
            )
        return target._connection.outbound.request(request.handler, request.args, left)

    def tell(copies: list[object]) -> list[object]:
        _log.debug(
            "copied {names} from a peer that sends references: {items} values in {requests} "
            "requests and {seconds:.3f} s",
            names=", ".join(wish.path for wish in wishes),
            items=copying.items,
            requests=copier.asked,
            seconds=connection.seconds() - began,
        )
        return copies

    copying = Copying(config.limits, direct=not connection.is_txremote)
    copier = Copier(copying, send)
    try:
        for wish in wishes:
            copying.add(wish.value, wish.wanted, wish.path)
    except TypeError:  # a tuple is nested too deep, say
        return fail()
    return copier.start().addCallback(tell)
