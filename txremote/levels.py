"""
How much of what happens is logged: levels, by namespace.

All of this package logs by a `Logger` of this module, whose namespace is ``txremote`` or below it:
``txremote.call`` for calls, ``txremote.connection`` for clients that come and go. An event passes
if its level is that of its namespace or above it, or that of the nearest namespace around it for
which one is set.

In a program of its own everything passes, and the program's observers choose. twistd writes all
that it is given, so it sets a level when it starts (``--verbose``, ``--log-level``); an operator
changes it while it runs, by ``txremote log-level`` or by SIGUSR2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    InvalidLogLevelError,
    Logger as TwistedLogger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogPublisher,
)

if TYPE_CHECKING:
    from constantly import NamedConstant  # type: ignore[import-untyped]

NAMESPACE: Final = "txremote"

LEVELS: Final = tuple(level.name for level in LogLevel.iterconstants())

_predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.debug)
_observer = FilteringLogObserver(globalLogPublisher, [_predicate])
_namespaces: set[str] = {NAMESPACE}


class Logger(TwistedLogger):
    """A logger of this package's: what it says is let through by its namespace's level."""

    def __init__(
        self, namespace: str, source: Any = None, observer: ILogObserver | None = None
    ) -> None:
        super().__init__(namespace, source, _observer if observer is None else observer)
        _namespaces.add(namespace)


class Levels:
    """
    The levels that are set. For the reactor's thread.

    There is one of them, `levels`, as there is one log.
    """

    def __init__(self) -> None:
        self._set: dict[str, NamedConstant] = {}
        self._before: dict[str, NamedConstant] | None = None  # as long as all is debugged

    def __str__(self) -> str:
        """Return the levels as they would be written: ``info, txremote.call=debug``."""
        rest = sorted(name for name in self._set if name != NAMESPACE)
        first = self._set.get(NAMESPACE, LogLevel.debug).name
        return ", ".join([first, *(f"{name}={self._set[name].name}" for name in rest)])

    def passes(self, namespace: str, level: NamedConstant) -> bool:
        """Tell whether events of a level are let through."""
        return bool(level >= _predicate.logLevelForNamespace(namespace))

    def change(self, *written: str) -> None:
        """
        Set levels; those that are not named stay.

        Args:
            written: Each ``LEVEL``, for all of this package, or ``NAMESPACE=LEVEL``.

        Raises:
            ValueError: One makes no sense; nothing is changed then.
        """
        self._become({**self._set, **dict(map(parsed, written))})

    def begin(self, verbose: bool, *written: str) -> None:
        """Set the levels of a daemon that starts, and forget others; raises as `change`."""
        first = LogLevel.debug if verbose else LogLevel.info
        self._become({NAMESPACE: first, **dict(map(parsed, written))})

    def reset(self) -> None:
        """Let everything through, as it is to begin with."""
        self._become({})

    def toggle_debug(self) -> bool:
        """Let everything through, or if that was done before, what passed until then."""
        before = self._before
        if before is None:
            before = self._set
            self._become({NAMESPACE: LogLevel.debug})
            self._before = before
            return True
        self._become(before)
        return False

    def told(self) -> tuple[list[str], bool]:
        """Return what `take` needs to have the same levels in another process."""
        now = self._set if self._before is None else self._before
        return [f"{name}={level.name}" for name, level in now.items()], self._before is not None

    def take(self, written: Iterable[str], debugging: bool) -> None:
        """Have the levels that another process has told, and all debugged if it does that."""
        wanted = (each.rpartition("=") for each in written)
        self._become({name: LogLevel.levelWithName(level) for name, _equals, level in wanted})
        if debugging:
            self.toggle_debug()

    def _become(self, wanted: dict[str, NamedConstant]) -> None:
        self._set = wanted
        self._before = None
        _predicate.clearLogLevels()
        for namespace, level in wanted.items():
            _predicate.setLogLevelForNamespace(namespace, level)


def parsed(written: str) -> tuple[str, NamedConstant]:
    """
    Return the namespace and the level of what is written as ``LEVEL`` or ``NAMESPACE=LEVEL``.

    Raises:
        ValueError: There is no such level, or nothing of this package's logs in that namespace.
    """
    before, equals, name = written.rpartition("=")
    namespace = before.strip() if equals else NAMESPACE
    try:
        level = LogLevel.levelWithName(name.strip().lower())
    except InvalidLogLevelError:
        raise ValueError(f"no level {name.strip()!r}: it is one of {', '.join(LEVELS)}") from None
    if not any(f"{each}.".startswith(f"{namespace}.") for each in _namespaces):
        known = ", ".join(sorted(_namespaces))
        raise ValueError(f"nothing is logged here as {namespace!r}: it is one of {known}")
    return namespace, level


#: Those of this process.
levels: Final = Levels()
