"""
The output and the log of a worker process, as it writes them: the child's side of
`txremote.work.output`. It knows nothing of Twisted, which is slow to import.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

MARK: Final = "\x1e"

#: Longest line that is logged as one, in bytes; a longer one is cut in pieces.
LONGEST_LINE: Final = 16 * 1024

Send = Callable[[dict[str, str]], None]


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
            lines.append(f"{MARK}{json.dumps(piece)}\n")
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
    after_import("twisted.logger", lambda twisted: _send_twisteds(send, twisted))


def _send_twisteds(send: Send, twisted: Any) -> None:
    def observe(event: dict[str, Any]) -> None:
        failure = event.get("log_failure")
        text = twisted.formatEvent(event)
        if failure is not None:
            text += "\n" + failure.getTraceback()
        send(
            {
                "level": event.get("log_level", twisted.LogLevel.info).name,
                "logger": str(event.get("log_namespace", "")),
                "text": text,
            }
        )

    twisted.globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False)


def after_import(name: str, then: Callable[[ModuleType], None]) -> None:
    """Call a function with a module as soon as that is imported, by anybody, or is already."""
    module = sys.modules.get(name)
    if module is not None:
        then(module)
    else:
        sys.meta_path.insert(0, _Watch(name, then))


class _Watch:
    """Waits for the import of one module, first of `sys.meta_path`."""

    def __init__(self, name: str, then: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._then = then

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._add_to(spec.loader)
                return spec
        return None

    def _add_to(self, loader: Any) -> None:
        execute = loader.exec_module

        def and_then(module: ModuleType) -> None:
            execute(module)
            self._then(module)

        loader.exec_module = and_then
