"""
The process of a limited source: it takes one source, runs it, and says how it has ended.

`txremote.work.limited.sandbox` starts it, as an isolated interpreter that has imported this, the
codec and RestrictedPython, and not the rest of the package. It gives up what it may give up
(`confine`) before it reads the source. Whatever it does after that, its program does not believe:
all limits are held there, too.
"""

from __future__ import annotations

import builtins
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from textwrap import dedent
from typing import Any, Final, NoReturn

from txremote.work.limited.messages import (
    ANSWER,
    CALL,
    DONE,
    FAILED,
    LIMIT,
    PRINTED,
    RAISED_AS_THEY_ARE,
    READY,
    REFUSED,
    MessageReader,
    frame,
    pack,
    unpack,
)
from txremote.work.limited.policy import FILENAME, Refused, compiled, environment, not_there

_REQUESTS, _ANSWERS = 0, 1  # descriptors
_LONGEST = 0xFFFFFFFF
_AT_A_TIME = 4096  # characters of output that are gathered
_SOON = 0.05  # seconds after which they are sent with the next ones
# made ahead, for when there is no memory to make anything
_NO_MEMORY: Final = frame(LIMIT, "memory")
_LONGEST_TEXT = 2_000  # characters of an error


def confine(memory: int, seconds: int) -> None:
    """Give up for ever: memory past so many bytes, processor time, files, processes, dumps."""
    _lower(resource.RLIMIT_AS, memory, memory)
    _lower(resource.RLIMIT_CPU, seconds + 1, seconds + 2)
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        _lower(kind, 0, 0)
    if hasattr(resource, "RLIMIT_NPROC"):
        _lower(resource.RLIMIT_NPROC, 0, 0)
    _lower(resource.RLIMIT_NOFILE, 3, 3)
    # for the case that the program is no longer there to end this process
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + 2)


def _lower(kind: int, soft: int, hard: int) -> None:
    most = resource.getrlimit(kind)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(kind, (soft, hard))


class Pipe:
    """Messages to the program and back. The process does nothing else while it waits."""

    def __init__(self) -> None:
        self._reader = MessageReader(_LONGEST)
        self._text: list[str] = []
        self._size = 0
        self._sent = time.monotonic()

    def send(self, *message: object) -> None:
        """Send a message, behind what was printed."""
        self.flush()
        write(frame(*message))

    def receive(self) -> tuple[object, ...]:
        """Return the next message; end the process if the program is gone."""
        while (message := self._reader.next()) is None:
            data = os.read(_REQUESTS, 65536)
            if not data:
                os._exit(0)
            self._reader.feed(data)
        return message

    def print(self, text: str) -> None:
        """Send text, some at a time."""
        self._text.append(text)
        self._size += len(text)
        if self._size >= _AT_A_TIME or time.monotonic() - self._sent > _SOON:
            self.flush()

    def flush(self) -> None:
        """Send what was printed and has not been sent."""
        text = "".join(self._text).encode("utf-8", "replace").decode()
        self._text, self._size, self._sent = [], 0, time.monotonic()
        for start in range(0, len(text), _AT_A_TIME):
            write(frame(PRINTED, text[start : start + _AT_A_TIME]))

    def remote(self, name: str) -> Callable[..., object]:
        """Return the function that calls one of the program's."""

        def call(*args: object, **kwargs: object) -> object:
            self.send(CALL, name, pack(args, f"an argument of {name}"), pack(kwargs, name))
            reply: Any = self.receive()
            kind, *rest = reply
            if kind == ANSWER:
                return unpack(rest[0])
            error, text = rest
            raise getattr(builtins, error if error in RAISED_AS_THEY_ARE else "RuntimeError")(text)

        return call

    def leave(self, *message: object) -> NoReturn:
        """Send the last message, and end the process."""
        self.send(*message)
        os._exit(0)


def write(data: bytes) -> None:
    """Write to the program; end the process if it is gone."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(_ANSWERS, view) :]
        except BrokenPipeError:
            os._exit(0)


def run(pipe: Pipe, source: str, names: dict[str, object]) -> tuple[object, ...]:
    """Run a source, and return the message of its end."""
    returned: list[object] = []

    def print_(*values: object, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        pipe.print(sep.join(map(str, values)) + end)

    def return_(*values: object) -> None:
        returned.extend(values)

    try:
        code = compiled(dedent(source))
        value = eval(code, environment(names, print_, return_))
        if returned:
            value = returned[0] if len(returned) == 1 else returned
        packed = pack(value, "the result")
        frame(packed)  # a number or a text that cannot be written is the source's error
        return DONE, packed
    except Refused as problem:
        return REFUSED, str(problem)[:_LONGEST_TEXT], 0
    except (MemoryError, RecursionError) as problem:
        return LIMIT, "memory" if isinstance(problem, MemoryError) else "recursion"
    except BaseException as problem:
        return _failed(problem)


def _failed(problem: BaseException) -> tuple[object, ...]:
    line = 0
    trace = problem.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        text = str(problem)[:_LONGEST_TEXT].encode("utf-8", "replace").decode()
    except (RecursionError, ValueError):  # of a value in it: nested too deep, a number too long
        text = "it cannot be shown"
    if isinstance(problem, NameError) and not_there(str(problem.name)):
        return REFUSED, f"line {line}: a limited source has no {problem.name}", line
    return FAILED, type(problem).__name__, text, line


def main() -> NoReturn:
    """Run one source. The arguments are the bytes of memory and the seconds that it may take."""
    memory, seconds = map(int, sys.argv[1:3])
    try:
        os.setsid()  # Ctrl-C at a terminal is the program's
    except PermissionError:
        pass
    sys.stdin = sys.stdout = None
    sys.setrecursionlimit(1000)
    pipe = Pipe()
    confine(memory, seconds)
    try:
        pipe.send(READY)
        request: Any = pipe.receive()
        _run, source, packed, live = request
        names: Any = unpack(packed)
        names |= {name: pipe.remote(name) for name in live}
        del request, packed
        ending = run(pipe, source, names)
        del names
        pipe.leave(*ending)
    except MemoryError:
        write(_NO_MEMORY)
    os._exit(0)
