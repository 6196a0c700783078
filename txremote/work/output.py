"""
The output and the log of a worker process, on their way into the parent's log.

A child's standard output and error are pipes to its parent. Python's ``print`` and both
``logging``s write *records* into the first of them, a line each::

    0x1E  {"job": ..., "stream": ..., "text": ...}  LF

Anything else in either pipe is raw: of C code, of a program that the job started. Writing waits
while the pipe is full, so a job that prints a lot is slowed down and nothing grows.
"""

from __future__ import annotations

import json

from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.internet.interfaces import IReactorTime
from twisted.logger import InvalidLogLevelError, LogLevel

from txremote.levels import Logger
from txremote.peer.logging import RateLimit
from txremote.work.records import LONGEST_LINE, MARK, Send

_MARK_BYTES = MARK.encode()

#: How much of a process's output is logged: this many characters in this many seconds, a
#: line being `LINE` more than its text.
MOST_LOGGED = 2_000_000
LOGGED_IN = 10.0
LINE = 100

log = Logger("txremote.job")

_LEVELS = {"warning": LogLevel.warn, "notset": LogLevel.debug}
_STREAMS = {"stdout": LogLevel.info, "stderr": LogLevel.warn}


def level_of(record: dict[str, str]) -> NamedConstant:
    """Return the `twisted.logger.LogLevel` of a record."""
    name = record.get("level", "")
    found = _LEVELS.get(name) or _STREAMS.get(record.get("stream", ""))
    if found is not None:
        return found
    try:
        return LogLevel.levelWithName(name)
    except InvalidLogLevelError:  # a level of the program's own
        return LogLevel.info


class RecordReader:
    """Cuts the bytes of a child's pipe into records. A raw line is a record without a ``job``."""

    def __init__(self, stream: str, received: Send) -> None:
        self._stream = stream
        self._received = received
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take in bytes."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._line(line)
        if len(self._rest) > 16 * LONGEST_LINE:  # no record is that long
            rest, self._rest = self._rest, b""
            self._line(rest)

    def end(self) -> None:
        """Take the line that was begun for a whole one."""
        rest, self._rest = self._rest, b""
        self._line(rest)

    def _line(self, line: bytes) -> None:
        raw, *records = line.split(_MARK_BYTES)
        if raw:
            text = raw.decode("utf-8", "replace")
            for start in range(0, len(text), LONGEST_LINE):
                part = text[start : start + LONGEST_LINE]
                self._received({"stream": self._stream, "text": part})
        for record in records:
            try:
                found = json.loads(record)
            except ValueError:  # cut by the end of its job, or C code wrote into it
                found = None
            if type(found) is not dict or not all(type(x) is str for x in found.values()):
                found = {"stream": self._stream}
            self._received({"text": record.decode("utf-8", "replace"), **found})


class OutputLog:
    """Logs the records of one worker process, up to a rate. `ration` counts the rest."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.ration = RateLimit(MOST_LOGGED, LOGGED_IN)

    def write(self, record: dict[str, str], job: str, pid: int) -> None:
        """Log a record, a raw one under the name of the job that runs, if any."""
        text = record["text"]
        if not self.ration.allows(LINE + len(text), self._clock.seconds()):
            return
        self.tell_left_out(pid)
        log.emit(
            level_of(record),
            "{job} [{pid}]: {text}",
            job=record.get("job", job) or "a worker process",
            pid=pid,
            text=text,
            logger=record.get("logger", record.get("stream")),
        )

    def tell_left_out(self, pid: int) -> None:
        """Log how many records were left out, if there were any."""
        count = self.ration.take_left_out()
        if count:
            log.warn(
                "a worker process [{pid}]: {count} lines of output were left out",
                pid=pid,
                count=count,
            )
