"""
The part of a reactor that pools need, on an asyncio loop: `Descriptors`.

Objects that read and write by themselves, such as the pipes of a worker process, are watched by
the loop's ``add_reader`` and ``add_writer``, as Twisted's own reactor for asyncio does it. Their
processes are started by Twisted (`txremote.aio.children`), and end with the loop
(`txremote.aio.ending`). Stock loops, uvloop's and others will do that have the two methods: not
Windows' proactor.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, AnyStr

from twisted.internet.error import ConnectionFdescWentAway, ConnectionLost
from twisted.internet.interfaces import (
    IProcessProtocol,
    IReactorFDSet,
    IReactorProcess,
    IReadDescriptor,
    IWriteDescriptor,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.aio.children import Child, Children
from txremote.aio.ending import Ending
from txremote.levels import Logger
from txremote.work.running import RunningPools

_log = Logger("txremote")


@implementer(IReactorFDSet, IReactorProcess)
class Descriptors:
    """Watches descriptors, starts processes, and tells when the loop ends. In the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.io_thread: int | None = threading.get_ident()
        self.pools = RunningPools()  # of this loop alone: another's are in another thread
        self._ending = Ending(loop, self._drop_all)
        self._readers: dict[IReadDescriptor, int] = {}
        self._writers: dict[IWriteDescriptor, int] = {}
        self._children = Children()

    # -- IReactorFDSet

    def addReader(self, reader: IReadDescriptor) -> None:
        """Have ``reader.doRead`` called whenever there is something to read."""
        if reader not in self._readers:
            number = reader.fileno()
            self.loop.add_reader(number, self._ready, reader, reader.doRead)
            self._readers[reader] = number

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Have ``writer.doWrite`` called whenever something can be written."""
        if writer not in self._writers:
            number = writer.fileno()
            self.loop.add_writer(number, self._ready, writer, writer.doWrite)
            self._writers[writer] = number

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Call ``doRead`` no more."""
        number = self._readers.pop(reader, None)
        if number is not None and not self.loop.is_closed():
            self.loop.remove_reader(number)

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Call ``doWrite`` no more."""
        number = self._writers.pop(writer, None)
        if number is not None and not self.loop.is_closed():
            self.loop.remove_writer(number)

    def removeAll(self) -> list[Any]:
        """Watch nothing any more; return what was watched."""
        watched: list[Any] = list(dict.fromkeys([*self._readers, *self._writers]))
        for each in watched:
            self.removeReader(each)
            self.removeWriter(each)
        return watched

    def getReaders(self) -> list[IReadDescriptor]:
        """Return all that is read."""
        return list(self._readers)

    def getWriters(self) -> list[IWriteDescriptor]:
        """Return all that waits to write."""
        return list(self._writers)

    def _ready(self, selectable: Any, serve: Callable[[], object]) -> None:
        if selectable.fileno() == -1:
            self._lost(selectable, ConnectionFdescWentAway("file descriptor was closed"))
            return
        try:
            why = serve()
        except Exception as error:
            _log.failure("{selectable} failed, and is closed", selectable=selectable)
            why = error
        if why:
            self._lost(selectable, why)

    def _lost(self, selectable: Any, why: object) -> None:
        self.removeReader(selectable)
        self.removeWriter(selectable)
        selectable.connectionLost(Failure(why))

    # -- IReactorProcess

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: bytes | str,
        args: Sequence[bytes | str] = (),
        env: Mapping[AnyStr, AnyStr] | None = None,
        path: bytes | str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> Child:
        """Start a process, as `IReactorProcess` has it, but for ``usePTY``. Raises OSError."""
        if usePTY:
            raise ValueError("a loop of asyncio's starts no process in a terminal (usePTY)")
        self._ending.begin()
        return self._children.start(
            self, executable, args, env, path, processProtocol, uid, gid, childFDs
        )

    # -- IReactorCore

    def callWhenRunning(self, function: Callable[..., object], *args: object) -> None:
        """Call a function now: the loop runs."""
        function(*args)

    def addSystemEventTrigger(
        self, phase: str, event: str, function: Callable[..., object], *args: object, **kw: object
    ) -> object:
        """
        Have a function called when the loop ends, in Twisted's phases; see `txremote.aio.ending`.
        ValueError: the event is not "shutdown".
        """
        if event != "shutdown":
            raise ValueError(f"a loop of asyncio's tells of its end ('shutdown'), not of {event!r}")
        return self._ending.add(phase, function, args, kw)

    def removeSystemEventTrigger(self, trigger: object) -> None:
        """Take a trigger back. ValueError: it is none that waits."""
        self._ending.remove(trigger)

    def _drop_all(self) -> None:
        """Close all descriptors and end all processes, at once: the loop is about to be closed."""
        for each in self.removeAll():
            each.connectionLost(Failure(ConnectionLost("the event loop was closed")))
        self._children.leave()
