"""
What a worker is told before it starts.
"""

from __future__ import annotations

import fcntl
import os
import socket

import pytest
from twisted.internet import reactor

from txremote.daemon.workers.launch import InheritedSockets, Launch, received, words_of

LEVELS = ["txremote=warn"], True
LAUNCH = Launch(
    2, 7, {"service": "shop.Shop", "listen": ["tcp:1"]}, "/a", "/b", "r", ("tcp:1",), LEVELS, "m:L"
)


def test_what_is_written_is_what_is_read() -> None:
    """In parts, as sockets give it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(LAUNCH.as_bytes())
        assert received(theirs) == LAUNCH


def test_a_supervisor_that_is_gone_is_noticed() -> None:
    """Half of it is no launch."""
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(LAUNCH.as_bytes()[:20])
        with pytest.raises(EOFError, match="the supervisor is gone"):
            received(theirs)


def test_options_go_on_as_they_were_given() -> None:
    """A file by its whole path, since the worker may be elsewhere; objects of Twisted's do not."""
    given = {"config": "site.toml", "listen": [], "admin": None, "credCheckers": [object()]}
    assert words_of(given) == {"config": os.path.abspath("site.toml")}
    assert words_of({"verbose": 1, "listen": ["tcp:1"]}) == {"verbose": 1, "listen": ["tcp:1"]}


def test_an_address_that_the_supervisor_does_not_have_is_refused() -> None:
    """A new one needs a restart, and says so."""
    with pytest.raises(ValueError, match="a new address needs a restart of the whole server"):
        InheritedSockets([]).endpoint(reactor, "tcp:1")  # type: ignore[arg-type]


def test_two_addresses_of_one_description_have_a_socket_each() -> None:
    """``tcp:0`` is another port each time; and no child of a worker's inherits them."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = {each.getsockname()[1] for each in sockets}
    # numbers side by side that nobody else has
    first = fcntl.fcntl(sockets[0], fcntl.F_DUPFD, 700)
    assert fcntl.fcntl(sockets[1], fcntl.F_DUPFD, first) == first + 1
    for each in sockets:
        each.close()
    inherited = InheritedSockets(["tcp:0", "tcp:0"], first)
    assert not os.get_inheritable(first)
    shared = [inherited.endpoint(reactor, "tcp:0")._reactor._shared for _ in range(2)]  # type: ignore
    assert {each.getsockname()[1] for each in shared} == ports
    for each in shared:
        each.close()
