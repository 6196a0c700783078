"""
The output and the log of a worker process, on their way into the parent's log.

A child's standard output and error are pipes to its parent. Python's ``print`` and both
``logging``s write *records* into the first of them, a line each::

    0x1E  {"job": ..., "stream": ..., "text": ...}  LF

Anything else in either pipe is raw: of C code, of a program that the job started. Writing waits
while the pipe is full, so a job that prints a lot is slowed down and nothing grows.
"""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Callable
from typing import Any, cast

from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.internet.interfaces import IReactorTime
from twisted.logger import (
    ILogObserver,
    InvalidLogLevelError,
    LogLevel,
    formatEvent,
    globalLogBeginner,
)

from txremote.levels import Logger
from txremote.peer.logging import RateLimit

_MARK = "\x1e"
_MARK_BYTES = b"\x1e"

#: Longest line that is logged as one, in bytes; a longer one is cut in pieces.
LONGEST_LINE = 16 * 1024

#: How much of a process's output is logged: this many characters in this many seconds, a
#: line being `LINE` more than its text.
MOST_LOGGED = 2_000_000
LOGGED_IN = 10.0
LINE = 100

log = Logger("txremote.job")

Send = Callable[[dict[str, str]], None]


# -- the child's side


class RecordWriter:
    """Writes records to a descriptor, with the name of the `job` that runs. Any thread."""

    def __init__(self, descriptor: int) -> None:
        self.job = ""
        self._descriptor = descriptor
        self._lock = threading.RLock()  # a signal's handler may print, too

    def send(self, record: dict[str, str]) -> None:
        """Write one record, with the job's name."""
        text = record["text"]
        lines = []
        for start in range(0, len(text) or 1, LONGEST_LINE):
            piece = {"job": self.job, **record, "text": text[start : start + LONGEST_LINE]}
            lines.append(f"{_MARK}{json.dumps(piece)}\n")
        data = memoryview("".join(lines).encode("ascii"))
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:  # the parent is gone, and this process about to go
                return


class _Lines(io.RawIOBase):
    """Makes records of the lines that are written to it."""

    def __init__(self, writer: RecordWriter, stream: str, descriptor: int) -> None:
        self._writer = writer
        self._stream = stream
        self._descriptor = descriptor
        self._rest = b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        # for programs that a job starts: what they print is raw
        return self._descriptor

    def write(self, data: Any) -> int:
        written = bytes(data)
        lines = (self._rest + written).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._line(line)
        while len(self._rest) > LONGEST_LINE:
            end = LONGEST_LINE
            while end > LONGEST_LINE - 4 and self._rest[end] & 0xC0 == 0x80:
                end -= 1  # not in the middle of a character
            self._line(self._rest[:end])
            self._rest = self._rest[end:]
        return len(written)

    def _line(self, line: bytes) -> None:
        self._writer.send({"stream": self._stream, "text": line.decode("utf-8", "replace")})

    def finish(self) -> None:
        if self._rest:
            rest, self._rest = self._rest, b""
            self._line(rest)


class RecordStream(io.TextIOWrapper):
    """A `sys.stdout` or `sys.stderr` whose lines become records. Programs use its fileno."""

    def __init__(self, writer: RecordWriter, stream: str, descriptor: int) -> None:
        self._lines = _Lines(writer, stream, descriptor)
        super().__init__(
            io.BufferedWriter(self._lines), "utf-8", "backslashreplace", line_buffering=True
        )

    def finish(self) -> bool:
        """Send the line that was begun. False if a job has closed or detached the stream."""
        try:
            self.flush()
        except ValueError:
            return False
        self._lines.finish()
        return True


class _RecordHandler(logging.Handler):
    """Sends what is logged with the standard library's `logging`."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # the job's arguments do not fit its message
            self.handleError(record)
            return
        self._send({"level": record.levelname.lower(), "logger": record.name, "text": text})


def send_logs(send: Send, level: int) -> None:
    """Have everything that is logged in this process from a level on become records."""
    logging.basicConfig(handlers=[_RecordHandler(send)], level=level)

    def observe(event: dict[str, Any]) -> None:
        failure = event.get("log_failure")
        text = formatEvent(event)
        if failure is not None:
            text += "\n" + failure.getTraceback()
        send(
            {
                "level": event.get("log_level", LogLevel.info).name,
                "logger": str(event.get("log_namespace", "")),
                "text": text,
            }
        )

    globalLogBeginner.beginLoggingTo([cast(ILogObserver, observe)], redirectStandardIO=False)


# -- the parent's side

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
