"""Names of types: the reactor as pools use it, and the parts of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorProcess,
    IReactorThreads,
    IReactorTime,
)


class IPoolReactor(IReactorCore, IReactorFDSet, IReactorProcess, IReactorThreads, IReactorTime):
    """All that a reactor of POSIX's provides; no reactor declares this interface itself."""


#: A job's callable and its arguments, by position and by name.
Function = Callable[..., object]
Args = Sequence[object]
Kwargs = Mapping[str, object]
