"""
What the tests of this room share: pairs whose peer is a stock RPyC, a wire that
is looked at, and a peer that sends whatever it likes.

`connected_pair` is txremote on both ends. A stock RPyC differs from that in three
ways that matter here: it answers a handler number that it does not know with a
KeyError, sends back the PING that is a HELLO, and as a client it says none.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher, textFileLogObserver
from twisted.python.failure import Failure

from txremote.config import make_config
from txremote.peer.connection import Connection
from txremote.peer.immediate import ImmediateExecutor
from txremote.peer.imports import ReleaseSweeper
from txremote.peer.inbound import InboundCalls
from txremote.service import VoidService, instantiate
from txremote.testing import MemoryTransport, Pair, connected_pair
from txremote.wire.brine import Budget, dump, load
from txremote.wire.consts import (
    HANDLE_GETROOT,
    HANDLE_HELLO,
    HANDLE_PING,
    LABEL_LOCAL_REF,
    LABEL_PROMISE,
    LABEL_REMOTE_REF,
    LABEL_TUPLE,
    LABEL_VALUE,
    LOWEST_ADDRESS,
    MSG_EXCEPTION,
    MSG_REPLY,
    MSG_REQUEST,
)
from txremote.wire.framing import FrameReader, frame
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.messages import open_envelope, open_request, sniff

# --- what becomes of a Deferred ---------------------------------------------------


class Outcome:
    """Watches a Deferred and counts how often it fired."""

    def __init__(self, deferred: Deferred[Any]) -> None:
        self.results: list[Any] = []
        deferred.addBoth(self.results.append)

    @property
    def fired(self) -> bool:
        return bool(self.results)

    @property
    def value(self) -> Any:
        (result,) = self.results
        if isinstance(result, Failure):
            raise result.value
        return result

    @property
    def error(self) -> BaseException:
        (result,) = self.results
        assert isinstance(result, Failure), result
        return result.value


# --- a wire that is looked at -----------------------------------------------------


class Message(NamedTuple):
    """One message as it was sent; ``handler`` is None unless it is a request."""

    kind: int
    number: int
    handler: int | None


class Wire:
    """Notes what a connection writes from now on."""

    def __init__(self, connection: Connection) -> None:
        self.writes: list[bytes] = []
        transport: Any = connection.transport
        write = transport.write

        def noted(data: bytes) -> None:
            self.writes.append(data)
            write(data)

        transport.write = noted

    @property
    def bytes(self) -> int:
        return sum(map(len, self.writes))

    @property
    def messages(self) -> list[Message]:
        found = []
        for payload in FrameReader().feed(b"".join(self.writes)):
            assert isinstance(payload, bytes)
            budget = Budget(DEFAULT_LIMITS, 0)
            kind, number, pos, _sender = open_envelope(payload, sniff(payload), budget)
            handler = open_request(payload, pos, budget)[0] if kind == MSG_REQUEST else None
            found.append(Message(kind, number, handler))
        return found

    @property
    def requests(self) -> list[int]:
        """The handler numbers of the requests, in order."""
        return [message.handler for message in self.messages if message.handler is not None]


# --- pairs with a stock peer ------------------------------------------------------


def make_stock(connection: Connection) -> list[int]:
    """
    Let a connection know no more handlers than RPyC does, and have ids like RPyC's.

    Returns:
        The extensions that it is asked for, as they come.
    """
    asked: list[int] = []

    class Stock(InboundCalls):
        __slots__ = ()

        def _function(self, number: int, handler: int, kind: Any, args: Any) -> Any:
            if handler >= HANDLE_HELLO:
                asked.append(handler)
                raise KeyError(handler)
            return super()._function(number, handler, kind, args)

        def request_received(
            self, number: int, sender: int, handler: int, args: Any, size: int
        ) -> None:
            if handler == HANDLE_PING and args and type(args[0]) is tuple:
                self.answers.send(number, sender, args[0])  # HELLO is a PING like others
                return
            super().request_received(number, sender, handler, args, size)

    inbound, tables = connection.inbound, connection._tables
    stock = Stock(
        connection,
        root=inbound.root,
        config=inbound.config,
        policy=inbound.policy,
        tables=tables,
        outbox=connection.outbox,
        clock=inbound._clock,
        variables=inbound.variables,
        make_request=inbound.make_request,
    )
    stock.timeouts, stock.answers = inbound.timeouts, inbound.answers
    stock.take_context = inbound.take_context
    connection.inbound = connection.receiver._inbound = stock
    classes: Any = tables.exports._classes
    classes._numbers = count(LOWEST_ADDRESS)
    return asked


def pair_with_stock_server(server_root: Any = VoidService, **options: Any) -> Pair:
    """
    Return a txremote client that has met a server that is a stock RPyC.

    ``pair.asked`` lists the extensions that the server was asked for.
    """
    pair: Any = connected_pair(server_root=server_root, introduce=False, **options)
    pair.asked = make_stock(pair.server)
    pair.result(pair.client.introduce())
    assert pair.asked == []
    return pair  # type: ignore[no-any-return]


def pair_with_stock_client(server_root: Any = VoidService, **options: Any) -> Pair:
    """Return a txremote server that has met a client that is a stock RPyC."""
    pair: Any = connected_pair(server_root=server_root, introduce=False, **options)
    pair.asked = make_stock(pair.client)
    pair.result(pair.client.fetch_root())
    return pair  # type: ignore[no-any-return]


# --- a peer that sends whatever it likes ------------------------------------------


class Local(NamedTuple):
    """In arguments: the receiver's object with this id pack."""

    pack: Any


class Remote(NamedTuple):
    """In arguments: an object of the sender's."""

    pack: Any


class Promised(NamedTuple):
    """The result of a call, by its number."""

    number: int


def boxed(value: Any) -> Any:
    """Return a value as the (label, payload) pair that brine carries."""
    if type(value) is Local:
        return (LABEL_LOCAL_REF, value.pack)
    if type(value) is Remote:
        return (LABEL_REMOTE_REF, value.pack)
    if type(value) is Promised:
        return (LABEL_PROMISE, value.number)
    if type(value) is tuple and _holds_reference(value):
        return (LABEL_TUPLE, tuple(boxed(item) for item in value))
    return (LABEL_VALUE, value)


def _holds_reference(value: Any) -> bool:
    if type(value) in (Local, Remote, Promised):
        return True
    return type(value) is tuple and any(map(_holds_reference, value))


def request_payload(number: int, handler: int, *args: Any) -> bytes:
    """Return a request as RPyC 6 writes it, without its frame."""
    return bytes([MSG_REQUEST]) + dump((number, (handler, boxed(args))))


class RemoteError(NamedTuple):
    """An exception as it came back."""

    name: str
    text: str


class RawPeer:
    """
    An accepting end, and by hand what its peer sends.

    Attributes:
        connection: The end that is tried.
        clock: Its clock.
    """

    def __init__(self, root: Any = VoidService, address: Any = None, **config: Any) -> None:
        self.clock = Clock()
        self.connection = Connection(
            instantiate(root),
            executor=ImmediateExecutor(self.clock),
            config=make_config(config),
            clock=self.clock,
            sweeper=ReleaseSweeper(self.clock),
        )
        self.transport = MemoryTransport(address)
        self.connection.makeConnection(self.transport)
        self._numbers = 0

    @property
    def ended(self) -> bool:
        return self.transport.disconnecting

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.connection.dataReceived(data)

    def send_payload(self, payload: bytes) -> None:
        """Send a payload in a frame."""
        self.send(frame(payload))

    def received(self) -> list[tuple[int, int, Any]]:
        """Return what has come back since the last time: kind, number, arguments."""
        data = b"".join(self.transport.written)
        self.transport.written.clear()
        found = []
        for payload in FrameReader().feed(data):
            assert isinstance(payload, bytes)
            number, args = load(payload[1:])
            found.append((payload[0], number, args))
        return found

    def send_request(self, handler: int, *args: Any) -> int:
        """Send a request, and return its number."""
        self._numbers += 1
        self.send_payload(request_payload(self._numbers, handler, *args))
        return self._numbers

    def ask(self, handler: int, *args: Any) -> Any:
        """
        Send a request, and return the value that came back, a reference as
        `Local`, an exception as `RemoteError`.
        """
        number = self.send_request(handler, *args)
        answers = [answer for answer in self.received() if answer[0] != MSG_REQUEST]
        assert [answer[1] for answer in answers] == [number], answers
        return answer_of(*answers[0])

    def root(self) -> Local:
        """Return the root's reference."""
        found = self.ask(HANDLE_GETROOT)
        assert isinstance(found, Local)
        return found


def answer_of(kind: int, _number: int, args: Any) -> Any:
    """Return what an answer says, as `RawPeer.ask` does."""
    if kind == MSG_EXCEPTION:
        if args == 1:
            return RemoteError("StopIteration", "")
        (_module, name), values, _attributes, _traceback = args
        return RemoteError(name, " ".join(map(str, values)))
    assert kind == MSG_REPLY, kind
    return _unboxed(args)


def _unboxed(pair: Any) -> Any:
    label, value = pair
    if label == LABEL_TUPLE:
        return tuple(map(_unboxed, value))
    if label == LABEL_REMOTE_REF:
        return Local(value)
    if label == LABEL_LOCAL_REF:
        return Remote(value)
    return value


# --- the log ----------------------------------------------------------------------


@contextmanager
def logged() -> Any:
    """Give an object whose ``text()`` is what Twisted's log was told meanwhile."""

    class Log(io.StringIO):
        def text(self) -> str:
            return self.getvalue()

    log = Log()
    observer = textFileLogObserver(log)
    globalLogPublisher.addObserver(observer)
    try:
        yield log
    finally:
        globalLogPublisher.removeObserver(observer)
