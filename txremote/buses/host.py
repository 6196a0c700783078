"""
The bus of one host: a process serves a `Keeper` over a private UNIX socket.

The first process that needs it serves it, and when that one ends, another of them does: a lock on
a file beside the socket says which. The kernel lets go of it when its process ends, however it
ends. A process that starts others may serve it by `serve`, and name it to them by `ENVIRONMENT`.

The socket has mode 0600, and lies in a folder of mode 0700 if nobody says where, so it is for the
processes of one account. These are trusted to publish; but what they send is bounded and checked,
and a message that is none costs its sender the connection.

A message is a brined tuple in a frame of Twisted's `Int32StringReceiver`: a request is its number,
its name and its arguments, an answer its number, whether it was done, and the result or the
reason. A message with the number 0 tells of a topic's news; there is no second one before the
topic is read.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IPushProducer
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.buses.keeping import Keeper
from txremote.buses.ports import AT_ONCE, LONGEST, Given, Id, Refused
from txremote.errors import RemoteProtocolError
from txremote.levels import Logger
from txremote.net.unixsockets import PRIVATE, clear_stale
from txremote.topics.filters import LONGEST_NAME
from txremote.wire import brine
from txremote.wire.limits import Limits

log = Logger("txremote.bus")

#: The variable of the environment that names the socket.
ENVIRONMENT: Final = "TXREMOTE_BUS"

#: Longest message in bytes.
LONGEST_MESSAGE: Final = LONGEST + 2 * AT_ONCE

#: Processes that are connected at once.
MOST_CLIENTS: Final = 1000

_LIMITS = Limits(
    max_frame=LONGEST_MESSAGE,
    max_inflated=LONGEST_MESSAGE,
    max_depth=6,
    max_int_digits=20,
    max_items=200_000,
)

# The locks of the sockets that this process serves.
_locks: dict[str, int] = {}


def loaded(message: bytes) -> tuple[object, ...]:
    """Return a message's parts. Raises RemoteProtocolError."""
    found = brine.load(message, _LIMITS)
    if type(found) is not tuple or len(found) < 3:
        raise RemoteProtocolError("a message on the host's bus that is none")
    return found


@implementer(IPushProducer)
class _Served(Int32StringReceiver):
    """The serving end of a process's connection."""

    MAX_LENGTH = LONGEST_MESSAGE

    def __init__(self, host: HostBus) -> None:
        self._host = host
        self.topics: dict[str, bool] = {}  # whether there is news that has been told

    def connectionMade(self) -> None:
        if len(self._host.clients) >= MOST_CLIENTS:
            self.end(f"{MOST_CLIENTS} processes are connected already (MOST_CLIENTS of a bus)")
            return
        self._host.clients.add(self)
        # while its answers are not read, no more of what it asks is, either
        self._transport.registerProducer(self, True)

    @property
    def _transport(self) -> Any:
        return self.transport

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._host.clients.discard(self)

    def end(self, why: str) -> None:
        log.warn("the host's bus at {path}: a process is disconnected: {why}",
                 path=self._host.path, why=why)  # fmt: skip
        self._transport.abortConnection()

    def lengthLimitExceeded(self, length: int) -> None:
        self.end(f"a message of {length} bytes, more than {LONGEST_MESSAGE} (LONGEST_MESSAGE)")

    def _say(self, *parts: object) -> None:
        cast(Any, self).sendString(brine.dump(parts))

    def stopProducing(self) -> None:
        pass

    def stringReceived(self, string: bytes) -> None:
        try:
            number, name, *arguments = loaded(string)
            if type(number) is not int or name not in _REQUESTS:
                raise RemoteProtocolError("it asks for what there is not")
            answer = _REQUESTS[name](self, *arguments)
        except Refused as problem:
            self._say(number, False, str(problem))
        except (RemoteProtocolError, TypeError, ValueError) as problem:
            self.end(str(problem))
        else:
            self._say(number, True, answer)

    def join(self, topic: object, known: object) -> object:
        topic, at = _text(topic), None if known is None else _id(known)
        self.topics[topic] = False
        return tuple(self._host.keeper.join(topic, at))

    def leave(self, topic: object) -> object:
        self.topics.pop(_text(topic), None)
        return None

    def publish(self, topic: object, events: object) -> object:
        topic = _text(topic)
        last = self._host.keeper.publish(topic, [_given(event) for event in _items(events)])
        for client in self._host.clients:
            client.has_news(topic)
        return last

    def has_news(self, topic: str) -> None:
        if self.topics.get(topic) is False:
            self.topics[topic] = True
            self._say(0, True, topic)

    def read(self, topics: object) -> object:
        asked = [(_text(topic), _id(at)) for topic, at in map(_items, _items(topics))]
        for topic, _ in asked:
            if topic in self.topics:
                self.topics[topic] = False
        found = self._host.keeper.read(asked)
        return tuple(map(tuple, found.entries)), tuple(found.begun_anew)

    def retained(self, topic: object, after: object) -> object:
        found = self._host.keeper.retained(_text(topic), _bytes(after))
        return tuple(map(tuple, found))


_REQUESTS: dict[str, Callable[..., object]] = {
    "join": _Served.join,
    "leave": _Served.leave,
    "publish": _Served.publish,
    "read": _Served.read,
    "retained": _Served.retained,
}


def _text(value: object) -> str:
    if type(value) is not str or len(value) > LONGEST_NAME:
        raise RemoteProtocolError(
            f"the name of a topic is a text of at most {LONGEST_NAME} characters"
        )
    return value


def _bytes(value: object) -> bytes:
    if type(value) is not bytes:
        raise RemoteProtocolError("what should be bytes is not")
    return value


def _items(value: object) -> tuple[object, ...]:
    if type(value) is not tuple:
        raise RemoteProtocolError("what should be a tuple is not")
    return value


def _id(value: object) -> Id:
    first, second = _items(value)
    if type(first) is not int or type(second) is not int:
        raise RemoteProtocolError("the id of an event is two numbers")
    return first, second


def _given(value: object) -> Given:
    data, retain, first = _items(value)
    if len(_bytes(data)) > LONGEST:
        raise RemoteProtocolError(
            f"an event of {len(_bytes(data))} bytes, more than {LONGEST} (LONGEST of a bus)"
        )
    return Given(
        _bytes(data),
        None if retain is None else _bytes(retain),
        None if first is None else _id(first),
    )


class HostBus:
    """
    The bus of a host, while this process serves it. Made by `serve`.

    Attributes:
        path: Its socket.
        keeper: The events that it keeps.
        clients: The connections of processes to it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.keeper = Keeper()
        self.clients: set[_Served] = set()
        self._port: IListeningPort | None = None

    def listen(self, reactor: Any) -> None:
        """Begin to serve it. Raises CannotListenError."""
        factory = _ServedFactory(self)
        self._port = reactor.listenUNIX(self.path, factory, mode=PRIVATE)

    def stop(self) -> Deferred[None]:
        """Stop serving it: another process may."""
        port, self._port = self._port, None
        for client in list(self.clients):
            client._transport.abortConnection()

        def stopped(_: object) -> None:
            lock = _locks.pop(self.path, None)
            if lock is not None:
                os.close(lock)

        stopping: Deferred[Any] = maybeDeferred(port.stopListening if port else bool)
        return stopping.addBoth(stopped)


class _ServedFactory(Factory):
    noisy = False

    def __init__(self, host: HostBus) -> None:
        self._host = host

    def logPrefix(self) -> str:
        """Return its name for Twisted's log."""
        return "txremote bus"

    def buildProtocol(self, addr: IAddress | None) -> Int32StringReceiver:
        return _Served(self._host)


def serve(path: str, reactor: Any) -> HostBus | None:
    """
    Serve the host's bus, if no other process does.

    Args:
        path: Where: a path of at most 107 bytes, in a folder that only this account may write to.
        reactor: The loop.

    Returns:
        It, or None if another process serves it, or is about to.

    Raises:
        CannotListenError, OSError: it cannot be served there.
    """
    import fcntl  # not on every system

    if path in _locks:
        return None
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)
    try:
        # such a lock is not inherited by processes that this one forks
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    _locks[path] = lock
    host = HostBus(path)
    try:
        clear_stale(os.fsencode(path))
        host.listen(reactor)
    except BaseException:
        os.close(_locks.pop(path))
        raise
    return host


def socket_path() -> str:
    """
    Return where the host's bus of this account is: what `ENVIRONMENT` says, or else a socket in a
    private folder, which is made.

    Raises:
        OSError: there is such a folder, and others may use it.
    """
    given = os.environ.get(ENVIRONMENT)
    if given:
        return given
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        os.path.join(base, "txremote")
        if base
        else os.path.join(tempfile.gettempdir(), f"txremote-{os.geteuid()}")
    )
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.geteuid()
        or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise PermissionError(
            f"{folder} is not a private folder of this account (chmod 700): name another place "
            f"for the host's bus by {ENVIRONMENT}"
        )
    return os.path.join(folder, "bus")


def check_owner(path: str) -> None:
    """Raise `Refused` if a socket is another account's, which could read and write everything."""
    owner = os.stat(path).st_uid
    if owner not in (os.geteuid(), 0):
        raise Refused(f"{path} belongs to another account (uid {owner})")
