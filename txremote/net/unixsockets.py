"""
UNIX sockets: who may connect to one, and what is left of one.

A process that may write to a socket's file may connect. Twisted makes it writable for
everybody, whatever the umask says. Here ``mode=`` holds where it is written. Without it a
service that gives more than what is exposed, and a console, have 0600: the account's own
processes only. Any other service has what the umask leaves, as with stock RPyC. A socket that
comes from outside (systemd) keeps the rights that it has. The rights are set before the socket
listens, so nobody gets in meanwhile.

A server that was killed leaves its file and Twisted's lock beside it; a start that fails leaves
the lock. A file on which nobody listens, and that no living process has locked, is removed
before a port is taken, and what a failed start has made after it.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    UNIXServerEndpoint,
    serverFromString,
)
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.failure import Failure

from txremote.refs.clock import EventLoop, Reactor

#: The rights of a socket whose clients may do more than what is exposed.
PRIVATE: Final = 0o600

_TWISTEDS = 0o666  # twisted.internet.endpoints.UNIXServerEndpoint's, where nobody says

#: How many clients may wait to be accepted, where a description says nothing; systems have a bound
#: of their own. With Twisted's 50 a crowd that comes at once waits for seconds, or is reset.
BACKLOG = 4096
_TWISTEDS_BACKLOG = 50

_AF_UNIX = getattr(socket, "AF_UNIX", None)  # not on every system


class Listening:
    """A reactor whose part is to listen on a socket that listens already, as it is."""


class _WrittenMode(int):
    """A mode that stands in a description."""


def server_endpoint(reactor: Reactor, description: str) -> IStreamServerEndpoint:
    """
    Do as `serverFromString`, with a longer queue of clients; and mark a UNIX socket's mode, for
    `take_port`, if it is said.
    """
    endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    inner = innermost(endpoint)
    if getattr(inner, "_backlog", None) == _TWISTEDS_BACKLOG and "backlog=" not in description:
        inner._backlog = BACKLOG
    if isinstance(inner, UNIXServerEndpoint) and _says_mode(description):
        inner._mode = _WrittenMode(inner._mode)
    if getattr(endpoint, "clock", reactor) is None:  # else TLS would install a reactor
        endpoint.clock = reactor  # type: ignore[attr-defined]
    return endpoint


def _says_mode(description: str) -> bool:
    words = re.split(r"(?<!\\):", description)
    options = words[words.index("unix") + 2 :] if "unix" in words else []
    return any(word.startswith("mode=") for word in words) or bool(
        options and "=" not in options[0]
    )


def innermost(endpoint: Any) -> Any:
    """Return the endpoint that TLS, or the PROXY protocol, is put around."""
    while True:
        inner = getattr(endpoint, "_wrappedEndpoint", None) or getattr(endpoint, "_endpoint", None)
        if inner is None:
            return endpoint
        endpoint = inner


def take_port(
    endpoint: IStreamServerEndpoint, factory: IProtocolFactory, private: bool
) -> Deferred[IListeningPort]:
    """
    Listen on an endpoint; on a UNIX socket with the rights that it should have. ``private``:
    the clients may do more than what is exposed.

    Raises:
        CannotListenError, OSError: in the Deferred, where the port cannot be taken.
    """
    inner = innermost(endpoint)
    listens_by = getattr(inner, "_reactor", None) or getattr(inner, "reactor", None)
    if isinstance(listens_by, Listening):
        found: Deferred[IListeningPort] = endpoint.listen(factory)
        return found
    if isinstance(inner, AdoptedStreamServerEndpoint) and inner.addressFamily == _AF_UNIX:
        inner.reactor = _Adopting(inner.reactor, private)
    if not isinstance(inner, UNIXServerEndpoint):
        listening: Deferred[IListeningPort] = endpoint.listen(factory)
        return listening
    path = os.fsencode(inner._address)
    given = inner._mode
    if type(given) is not _WrittenMode and given == _TWISTEDS:
        inner._mode = PRIVATE if private else left_by_umask()
    clear_stale(path)
    locked = _owner(path) == os.getpid()

    def failed(failure: Failure) -> Failure:
        if not locked and _owner(path) == os.getpid():
            os.unlink(_lock(path))
        return failure

    try:
        listening = endpoint.listen(factory)
    finally:
        inner._mode = given
    return listening.addErrback(failed)


def left_by_umask() -> int:
    """Return the rights that the umask leaves to a new socket."""
    umask = os.umask(0o077)  # it is read by setting it, for this moment to what does no harm
    os.umask(umask)
    return 0o777 & ~umask


class _Adopting:
    """A reactor that adopts a UNIX socket as `adopt` does."""

    def __init__(self, reactor: EventLoop, private: bool) -> None:
        self._reactor = reactor
        self._private = private

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        return adopt(self._reactor, fileDescriptor, factory, self._private)


def adopt(
    reactor: EventLoop, descriptor: int, factory: IProtocolFactory, private: bool = False
) -> IListeningPort:
    """
    Have a reactor serve a listening, non-blocking UNIX socket, whose descriptor is duplicated.
    It keeps its rights; if ``private``, others lose theirs to connect.
    """
    from twisted.internet import unix  # not on every system

    make = getattr(reactor, "unix_port", None)  # that of a loop that is no reactor
    if make is None:
        make = partial(unix.Port._fromListeningDescriptor, reactor)
    port: Any = make(descriptor, factory)
    path = _path_of(port)
    if _is_file(path):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        # Twisted sets it to 0666 where it is told nothing
        port.mode = PRIVATE if private and mode & stat.S_IWOTH else mode
    port.startListening()
    listening: IListeningPort = port
    return listening


def forget(port: Any) -> None:
    """Remove a port's files at once: the process ends, and no reactor will."""
    from twisted.internet import unix  # not on every system

    if isinstance(port, unix.Port) and _is_file(path := _path_of(port)):
        remove(path)
        if port.lockFile is not None and port.lockFile.locked:
            port.lockFile.unlock()


def _path_of(port: Any) -> bytes:
    """Return where a port is; Twisted 24.11 has the path where TCP has a number."""
    path: bytes = port._bindPath if hasattr(port, "_bindPath") else port.port
    return path


def clear_stale(path: bytes) -> None:
    """Remove what a server that is gone has left: its socket's file, and a lock."""
    if not _is_file(path):
        return
    owner = _owner(path)
    if owner is not None and owner != os.getpid() and _lives(owner):
        return
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        is_socket = False
    if is_socket and not _is_dead(path):
        return
    if owner is not None:
        remove(_lock(path))
    if is_socket:
        remove(path)


def _is_file(path: bytes) -> bool:
    return bool(path) and path[:1] != b"\0"  # else it is in Linux's abstract namespace


def _lock(path: bytes) -> bytes:
    return path + b".lock"


def _owner(path: bytes) -> int | None:
    """Return the process that has locked a path, as Twisted notes it, or None."""
    try:
        return int(os.readlink(_lock(path)))
    except (OSError, ValueError):
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _is_dead(path: bytes) -> bool:
    """Tell whether surely nobody listens on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            return probe.connect_ex(path) == errno.ECONNREFUSED
        except OSError:  # a path that is too long
            return False


def remove(path: bytes) -> None:
    """Remove a file, if it can be."""
    try:
        os.unlink(path)
    except OSError:  # it is gone, or another's: bind() tells
        return
