"""
Forks: a process that `os.fork` has made must not use its parent's connections.

Two processes at one end of a connection would take each other's answers; a listener's port, a
socket's file and a pool's workers exist once. So in the child

* each use of a connection or a pool of the parent's raises `WrongProcess`;
* closing one closes the child's own descriptors, and does nothing else;
* a reactor that was running is cut off from the descriptors, whose state the system keeps for
  both processes;
* a child that returns to the reactor or to a worker thread is ended: it would be a second
  server.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn
from weakref import WeakSet

from twisted.python import threadable

from txremote.errors import WrongProcess


class Process:
    """One process, by its id."""

    __slots__ = ("pid",)

    def __init__(self) -> None:
        self.pid = os.getpid()


#: This process, to compare by identity: that needs no system call.
here = Process()

# The reactors that connections live in.
_reactors: WeakSet[Any] = WeakSet()


def watch(reactor: Any) -> None:
    """Have a reactor cut off in children that are made while it runs."""
    _reactors.add(reactor)


def wrong_process(home: Process, what: str = "connection") -> WrongProcess:
    """Return the error for an object that belongs to another process, ``home``."""
    return WrongProcess(
        f"the {what} belongs to process {home.pid}, and os.fork() has made this one, "
        f"{here.pid}, of it: make a {what} of its own in here"
    )


def end(*_args: object) -> NoReturn:
    """End this process, which has come back to where its parent served from."""
    text = (
        f"txremote: os.fork() was called where a server runs, and process {here.pid} has come "
        "back there: it would be a second server, and is ended. End a child with os._exit(), "
        "or use subprocess, reactor.spawnProcess or a pool of processes\n"
    )
    try:
        os.write(2, text.encode())
    finally:
        os._exit(1)


def _nothing(*_args: object) -> None:
    pass


def _cut_off(reactor: Any) -> None:
    for name in ("addReader", "addWriter", "removeReader", "removeWriter", "wakeUp"):
        setattr(reactor, name, _nothing)
    reactor.doIteration = end
    reactor.callFromThread(end)  # asyncio's have no iterations
    reactor.running = False
    threadable.ioThread = reactor.io_thread = None  # blocking here blocks no reactor


def _begin() -> None:
    global here  # noqa: PLW0603  # the one thing that differs in a child
    here = Process()
    for reactor in list(_reactors):
        if getattr(reactor, "running", False):
            _cut_off(reactor)


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_begin)
