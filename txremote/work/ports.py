"""The reactor as pools use it: Twisted's interfaces, under one name for types."""

from __future__ import annotations

from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorProcess,
    IReactorThreads,
    IReactorTime,
)


class IPoolReactor(IReactorCore, IReactorFDSet, IReactorProcess, IReactorThreads, IReactorTime):
    """All that a reactor of POSIX's provides; no reactor declares this interface itself."""
