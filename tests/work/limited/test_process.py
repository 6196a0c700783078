"""The process of a limited source: started, read, killed; nobody is left behind."""

from __future__ import annotations

from uuid import uuid4

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.work.child_processes import outcome_of, until
from tests.work.limited.surroundings import named, remains
from txremote.work.limited.process import SourceProcess
from txremote.work.limited.sandbox import Command, boxed, interpreter, restricted_python

ECHO = "import os\nwhile data := os.read(0, 99): os.write(1, data)"
WAITS = "import os, time; os.write(1, b'up'); time.sleep(60)"


class Running:
    """One process, with what it has sent."""

    def __init__(self, program: str, is_boxed: bool) -> None:
        self.data = b""
        self.gone: Deferred[Failure] = Deferred()
        words = (interpreter(), "-I", "-S", "-c", program)
        command = boxed(words, restricted_python()) if is_boxed else Command(words[0], words, False)
        self.process = SourceProcess(reactor, self._take, self.gone.callback)  # type: ignore[arg-type]
        self.process.start(command)

    def _take(self, data: bytes) -> None:
        self.data += data


@pytest_twisted.ensureDeferred
async def test_it_is_written_to_read_and_killed(sandbox: str) -> None:
    """With all that it has started, and no zombie; twice is as good as once."""
    await outcome_of(Running("pass", False).gone)  # opens what the reactor keeps
    before = remains()
    mark = f"# {uuid4()}"
    echo, waits, early = (
        Running(f"{program}\n{mark}", sandbox == "required") for program in (ECHO, WAITS, WAITS)
    )
    early.process.kill()  # before bubblewrap has told which process is in it
    echo.process.write(b"one ")
    echo.process.write(b"two")
    await until(lambda: (echo.data, waits.data) == (b"one two", b"up"))
    for running in (echo, waits, early):
        running.process.kill()
        running.process.kill()
        await outcome_of(running.gone)
        running.process.kill()
    await until(lambda: remains() == before and not named(mark))


@pytest_twisted.ensureDeferred
async def test_last_words() -> None:
    """The last line of what it says beside its messages; what says too much is not heard."""
    running = Running("import sys; sys.stderr.write('x' * 9999 + '\\nthe reason\\n')", False)
    await outcome_of(running.gone)
    assert running.process.last_words() == "the reason"
    running = Running("import os\nwhile True: os.write(2, b'x' * 999)", False)
    await outcome_of(running.gone)  # its pipe is broken
    assert running.process._said < 200_000
