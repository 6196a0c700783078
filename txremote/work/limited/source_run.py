"""
`SourceRun`: one run of a limited source, from the start of its process to its outcome.

The process may do what it likes from the moment on in which it has its source, so it is believed
nothing. It can send text, up to a limit; call the functions that were declared; and send one end.
Anything else ends it, as its time does. The outcome is told once, when the process has been reaped.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from math import ceil
from typing import Final

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from txremote.errors import RemoteProtocolError, SourceFailed, SourceRefused, WorkerDied
from txremote.refs.clock import steady
from txremote.work.childprocess import how_it_ended
from txremote.work.limited.calls import FunctionCalls
from txremote.work.limited.messages import (
    CALL,
    DONE,
    FAILED,
    LIMIT,
    PRINTED,
    READY,
    REFUSED,
    RUN,
    MessageReader,
    frame,
    unpack,
)
from txremote.work.limited.process import SourceProcess
from txremote.work.limited.sandbox import command, no_sandbox
from txremote.work.limited.source import LimitedResult, LimitedSource
from txremote.work.ports import IPoolReactor

#: Seconds in which a process must have come up.
START: Final = 20.0


class SourceRun:
    """
    One run. For the reactor's thread.

    Args:
        reactor: The loop.
        source: Its result is left alone.
        ended: Called once with this, when there is an outcome and no process.

    Raises:
        NoSandbox, ImportError: what it needs is not installed.
        OSError: no process or descriptor is left.
    """

    def __init__(
        self, reactor: IPoolReactor, source: LimitedSource, ended: Callable[[SourceRun], None]
    ) -> None:
        self.source = source
        self.outcome: LimitedResult | Exception | None = None
        self._ended = ended
        self._clock = steady(reactor)
        limits = source.limits
        self._reader = MessageReader(limits.message)
        self._printed: list[str] = []
        self._left = limits.output  # bytes that it may print yet
        self._ready = False
        self._process = SourceProcess(reactor, self._received, self._gone)
        self._calls = FunctionCalls(source.live, limits.message, self._process.write)
        self._timer: IDelayedCall = self._clock.callLater(START, self._not_up)
        try:
            self._process.start(command(source.sandbox, limits.memory, ceil(limits.timeout)))
        except BaseException:
            self._timer.cancel()
            raise

    def end(self, outcome: LimitedResult | Exception) -> None:
        """End it, with an outcome that is told when its process is gone."""
        if self.outcome is None:
            self.outcome = outcome
            self._calls.stop()
            self._process.kill()

    def exceed(self, limit: str) -> None:
        """End it for a limit, by its name."""
        self.end(self.source.limits.exceeded(limit, self._text()))

    def _text(self) -> str:
        return "".join(self._printed)

    def _not_up(self) -> None:
        self.end(WorkerDied(f"the process for a source did not come up within {START:g} s"))

    def _gone(self, reason: Failure) -> None:
        if self._timer.active():
            self._timer.cancel()
        if self.outcome is None:
            self.outcome = self._how(reason)
            self._calls.stop()
        self._ended(self)

    def _how(self, reason: Failure) -> Exception:
        how, words = how_it_ended(reason), self._process.last_words()
        if not self._ready and self.source.sandbox == "required":
            return no_sandbox(words or how)
        code = getattr(reason.value, "signal", None) or getattr(reason.value, "exitCode", None) or 0
        if code % 128 in (signal.SIGXCPU, signal.SIGALRM):  # bubblewrap adds 128
            return self.source.limits.exceeded("timeout", self._text())
        said = f" ({words})" if words else ""
        return WorkerDied(f"the process of a source {how}{said}")

    # -- the messages of the process

    def _received(self, data: bytes) -> None:
        if self.outcome is not None:
            return
        self._reader.feed(data)
        try:
            while self.outcome is None and (message := self._reader.next()) is not None:
                self._take(message)
        except RemoteProtocolError as problem:
            if problem.limit in ("max_frame", "max_items"):
                self.exceed("message")
            else:
                self.end(WorkerDied(f"the process of a source sent what it may not: {problem}"))

    def _take(self, message: tuple[object, ...]) -> None:
        name, *parts = message
        kinds, take = _HANDLERS.get(str(name), ((), None))
        if take is None or (name != READY) != self._ready:
            raise RemoteProtocolError("a message that is none, or comes at a wrong time")
        if len(parts) != len(kinds) or any(
            kind is not object and type(part) is not kind
            for kind, part in zip(kinds, parts, strict=True)
        ):
            raise RemoteProtocolError("a message whose parts make no sense")
        take(self, *parts)

    def _is_ready(self) -> None:
        self._ready = True
        self._timer.cancel()
        source = self.source
        self._timer = self._clock.callLater(source.limits.timeout, self.exceed, "timeout")
        self._process.write(frame(RUN, source.text, source.values, tuple(source.live)))

    def _has_printed(self, text: str) -> None:
        if not text:  # else it could say that for ever
            raise RemoteProtocolError("text that is none")
        encoded = text.encode()
        fits = encoded[: self._left].decode("utf-8", "ignore")
        self._printed.append(fits)
        self._left -= len(encoded)
        if self._left < 0:
            self.exceed("output")

    def _has_called(self, name: str, packed_args: object, packed_kwargs: object) -> None:
        if self._calls.made >= self.source.limits.calls:
            self.exceed("calls")
        else:
            self._calls.call(name, packed_args, packed_kwargs)

    def _is_done(self, packed: object) -> None:
        self.end(LimitedResult(unpack(packed), self._text(), self._calls.made))

    def _was_refused(self, text: str, line: int) -> None:
        self.end(SourceRefused(f"the source is refused: {text}", "", line, self._text()))

    def _has_failed(self, error: str, text: str, line: int) -> None:
        told = f"{error}: {text}" if text else error
        where = f" (line {line} of the source)" if line else ""
        self.end(SourceFailed(told + where, error, line, self._text()))

    def _met_limit(self, limit: str) -> None:
        if limit not in ("memory", "recursion"):
            raise RemoteProtocolError("a limit that is none")
        self.exceed(limit)


# By name of a message: the types of its parts, and what takes it. Packed values are checked by
# `unpack`.
_HANDLERS: Final[dict[str, tuple[tuple[type, ...], Callable[..., None]]]] = {
    READY: ((), SourceRun._is_ready),
    PRINTED: ((str,), SourceRun._has_printed),
    CALL: ((str, object, object), SourceRun._has_called),
    DONE: ((object,), SourceRun._is_done),
    REFUSED: ((str, int), SourceRun._was_refused),
    FAILED: ((str, str, int), SourceRun._has_failed),
    LIMIT: ((str,), SourceRun._met_limit),
}
