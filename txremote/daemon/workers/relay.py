"""
`Relay`: the log of a worker, which its supervisor writes, with the worker's number in each line.

So there is one file, which one process rotates. A worker waits for nobody: lines that the
supervisor does not take are kept, `MOST` of them, and from then on they are counted, which is
logged, too.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.daemon.workers.control import ControlOfSupervisor
from txremote.daemon.workers.reports import LogLine
from txremote.errors import TxRemoteError
from txremote.peer.naming import address_text
from txremote.refs.clock import EventLoop, steady

#: Lines that wait for the supervisor, at most.
MOST: Final = 5_000

_AT_ONCE: Final = 500  # lines
_SIZE_AT_ONCE: Final = 1_000_000  # characters; with one line more it is far from max_frame
_LONGEST: Final = 20_000  # characters of a line
_GATHER: Final = 0.02  # seconds
_PLAIN: Final = (int, float, bool, type(None))


@implementer(ILogObserver)
class Relay:
    """An observer of Twisted's log, which any thread may call. The rest is the reactor's."""

    def __init__(self, reactor: EventLoop) -> None:
        self._reactor = reactor
        self._lines: list[LogLine] = []
        self._dropped = 0
        self._control: ControlOfSupervisor | None = None
        self._awake = False  # whether the reactor's thread was told that there are lines
        self._timer: IDelayedCall | None = None
        self._sending: Deferred[Any] | None = None

    def __call__(self, event: LogEvent) -> None:
        """Take in an event."""
        if len(self._lines) >= MOST:
            self._dropped += 1
            return
        self._lines.append(line_of(event))
        if not self._awake and self._control is not None:
            self._awake = True
            self._reactor.callFromThread(self._send_soon)

    def begin(self, control: ControlOfSupervisor) -> None:
        """Send what there is, and what comes."""
        self._control = control
        self._send_soon()

    def _send_soon(self) -> None:
        self._awake = False
        if self._timer is None and self._sending is None:
            self._timer = steady(self._reactor).callLater(_GATHER, self._send)

    def _send(self) -> None:
        self._timer = None
        control = self._control
        if control is None or not self._lines:
            return
        lines = _first_of(self._lines)
        del self._lines[: len(lines)]  # in place: another thread may add a line meanwhile
        if self._dropped:
            lines.append(_dropped(self._dropped))
            self._dropped = 0

        def sent(_result: object) -> None:
            self._sending = None
            if self._lines:
                self._send_soon()

        self._sending = control.log(lines)
        self._sending.addBoth(sent)

    async def flush(self) -> None:
        """Send all that there is: the process ends."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._timer = None
        while self._sending is not None or self._lines:
            if self._sending is None:
                self._send()
            if self._sending is None:
                return
            await _after(self._sending)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None


def _first_of(waiting: list[LogLine]) -> list[LogLine]:
    """Return as many of the first lines as go in one message."""
    size = 0
    for count, line in enumerate(waiting[:_AT_ONCE]):
        size += len(line.text) + len(line.traceback) + len(str(line.fields))
        if size > _SIZE_AT_ONCE:
            return waiting[: count or 1]
    return waiting[:_AT_ONCE]


def _after(sending: Deferred[Any]) -> Deferred[None]:
    waiting: Deferred[None] = Deferred()

    def over(result: object) -> object:
        waiting.callback(None)
        return result

    sending.addBoth(over)
    return waiting


def line_of(event: LogEvent) -> LogLine:
    """Return an event as a line."""
    level = event.get("log_level")
    failure = event.get("log_failure")
    fields: dict[str, Any] = {}
    if "isError" not in event:  # else it is from Twisted's older log, without fields of its own
        for name, value in event.items():
            if name.startswith("log_"):
                continue
            if isinstance(value, str):
                fields[name] = _sent_text(value)
            elif isinstance(value, _PLAIN):
                fields[name] = value
            elif IAddress.providedBy(value):
                fields[name] = address_text(value)
    return LogLine(
        at=event.get("log_time", 0.0),
        level=LogLevel.info.name if level is None else level.name,
        namespace=_sent_text(str(event.get("log_namespace"))),
        text=_sent_text(formatEvent(event)),
        fields=fields,
        traceback="" if failure is None else _sent_text(failure.getTraceback()[-_LONGEST:]),
        system=_sent_text(str(event.get("log_system", ""))),
        error="" if failure is None else _sent_text(failure.getErrorMessage()),
    )


def _sent_text(text: str) -> str:
    """Return a text as it can be sent: not too long, and what is no Unicode, such as a file's odd
    name, spelled out."""
    return text[:_LONGEST].encode(errors="backslashreplace").decode()


def _dropped(count: int) -> LogLine:
    text = f"{count} lines of the log are lost: there were too many at once"
    return LogLine(0.0, LogLevel.warn.name, "txremote.workers", text, {})


class Told(Failure):
    """A failure of a worker, for the observers of its supervisor's log."""

    def __init__(self, traceback: str, error: str) -> None:
        super().__init__(TxRemoteError(error))  # type: ignore[no-untyped-call]
        self._told = traceback

    def getTraceback(self, elideFrameworkCode: int = 0, detail: str = "default") -> str:
        """Return its traceback, as the worker has told it."""
        return self._told


def write_line(number: int, line: LogLine) -> None:
    """Write a line of a worker's log, in the supervisor."""
    event = {
        **line.fields,
        "worker": number,
        "said": line.text,
        "log_format": "worker {worker}: {said}",
        "log_level": LogLevel.levelWithName(line.level),
        "log_namespace": line.namespace,
    }
    if line.at:
        event["log_time"] = line.at
    if line.system:
        event["log_system"] = line.system
    if line.traceback:
        event["log_failure"] = Told(line.traceback, line.error)
    globalLogPublisher(event)
