"""
How the connecting side introduces itself.

It asks for the root and sends HELLO right behind, as a PING, which a stock RPyC sends back
as it came. It is sent nothing that RPyC does not know.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.peer.ports import ConnectionPort
from txremote.refs.ports import Answer
from txremote.refs.reference import RemoteReference
from txremote.refs.value_calls import described, note_plans
from txremote.wire.consts import (
    HANDLE_HELLO,
    HANDLE_PING,
    HELLO_MARK,
    HELLO_VERSION,
    LOWEST_ADDRESS,
)


class Introduced(ConnectionPort, Protocol):
    """A connection that introduces itself."""

    def fetch_root(self) -> Answer:
        """Return a Deferred of the peer's service."""

    def hello_received(self, features: frozenset[str]) -> None:
        """Note the extensions that the peer knows."""


C = TypeVar("C", bound=Introduced)


def introduce(connection: C, separately: bool) -> Deferred[C]:
    """Do as `Connection.introduce`."""
    fetching: Answer = connection.fetch_root()
    if separately:
        fetching.addCallback(lambda _root: _say_hello(connection))
        return fetching.addCallback(lambda _nothing: _greet_older(connection))
    saying = _say_hello(connection)

    def root_failed(failure: Failure) -> Failure:
        saying.addErrback(lambda _failure: None)
        return failure

    fetching.addErrback(root_failed).addCallback(lambda _root: saying)
    return fetching.addCallback(lambda _nothing: _greet_older(connection))


def _say_hello(connection: Introduced) -> Answer:
    said = (HELLO_MARK, HELLO_VERSION, connection.inbound.features)
    asking: Answer = connection.outbound.request(HANDLE_PING, (said,))
    return asking.addCallback(lambda answer: _hello_answered(connection, answer))


def _hello_answered(connection: Introduced, answer: object) -> None:
    if type(answer) is not tuple or len(answer) not in (2, 3) or type(answer[1]) is not tuple:
        return
    connection.hello_received(frozenset(x for x in answer[1] if type(x) is str))
    root = connection.root
    if len(answer) == 3 and type(root) is RemoteReference:
        note_plans(root, described(answer[2]))


def _greet_older(connection: C) -> C | Deferred[C]:
    """
    Say HELLO by its number to a txremote 0.1, which sends that PING back as RPyC does: its
    ids are counters, RPyC's are addresses.
    """
    root = connection.root
    older = type(root) is RemoteReference and root._pack[1] < LOWEST_ADDRESS
    if connection.features or not older:
        return connection

    def refused(failure: Failure) -> None:
        failure.trap(KeyError)  # it is something else, which has no such handler

    said = (HELLO_VERSION, connection.inbound.features)
    asking: Answer = connection.outbound.request(HANDLE_HELLO, said)
    asking.addCallbacks(lambda answer: _hello_answered(connection, answer), refused)
    return asking.addCallback(lambda _nothing: connection)
