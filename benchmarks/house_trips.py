"""
How a request travels: the calls and files of txremote that one trip passes.

A program of its own, which `benchmarks.house` runs in a copy of a checkout, with that in front on
the import path, and which prints JSON. It uses nothing but what users import, so that old and new
checkouts alike can be asked. Each trip is made twice before it is looked at, for what is kept after
a first time, and then `ROUNDS` times. A profile function of the interpreter notes each call in the
thread that makes the trip; what other threads, worker processes and libraries do does not count,
and neither does `txremote.testing`, which carries the bytes here and no one else's. Comprehensions
do not count either: they are calls in some versions of Python only.
"""

from __future__ import annotations

import gc
import json
import operator
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice, pairwise
from pathlib import Path
from types import FrameType
from typing import Any

if __name__ == "__main__":
    sys.path.pop(0)  # this folder is no place to import from

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

import txremote

PACKAGE = Path(txremote.__file__).parent
WARM_UP, ROUNDS = 2, 3

# The calls of a trip in order: each one's file, from the package's folder, and its name.
Steps = list[tuple[str, str]]
Trips = dict[str, Steps]


@contextmanager
def followed() -> Iterator[Steps]:
    """Note the calls of txremote's functions in this thread."""
    steps: Steps = []
    inside = f"{PACKAGE}{os.sep}"

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(inside):
            name = code.co_name
            file = code.co_filename.removeprefix(inside)
            if file != "testing.py" and (name == "<lambda>" or not name.startswith("<")):
                steps.append((file, name))

    sys.setprofile(note)
    try:
        yield steps
    finally:
        sys.setprofile(None)


def figures(steps: Steps) -> dict[str, int]:
    """
    Return how many calls a trip has, how many files they are in, and how often a
    call is in another file than the one before it.
    """
    files = [file for file, _name in steps]
    moves = sum(one != other for one, other in pairwise(files))
    return {"calls": len(files), "files": len(set(files)), "moves": moves}


class Calculator(txremote.Service):
    """What is called."""

    @txremote.exposed
    def add(self, a: int, b: int) -> int:
        """Return a sum."""
        return a + b


class Commands:
    """A console's container."""

    commands = ("hello",)

    def hello(self) -> str:
        """Greet."""
        return "hello"


# --- the trips --------------------------------------------------------------------


def in_memory() -> Iterator[Trips]:
    """A call between two ends in memory, and its answer."""
    from txremote.testing import connected_pair

    pair = connected_pair(server_root=Calculator)
    while True:
        answers: list[int] = []
        with followed() as out:
            pair.client.root.add(2, 3).addCallback(answers.append)
        request = carried(pair.client)
        with followed() as there:
            pair.server.dataReceived(request)
        answer = carried(pair.server)
        with followed() as back:
            pair.client.dataReceived(answer)
        assert answers == [5]
        yield {
            "root.add(2, 3) in a reactor -> bytes": out,
            "bytes -> exposed method -> answer's bytes": there,
            "answer's bytes -> Deferred": back,
        }


def carried(end: Any) -> bytes:
    """Take what one end has written."""
    written = end.transport.written
    data = b"".join(written)
    written.clear()
    assert data
    return data


def in_a_script() -> Iterator[Trips]:
    """
    A script's call. Another thread of this process answers it.
    """
    from txremote import blocking

    conn = blocking.connect_thread(remote_service=Calculator)
    while True:
        with followed() as steps:
            answer = conn.root.add(2, 3)
        assert answer == 5
        yield {"a script's root.add(2, 3) and its answer": steps}


async def in_a_pool(found: list[Trips]) -> None:
    """A job for a worker process, and its outcome."""
    from txremote import run_async
    from txremote.work import pool_from_string

    pool = pool_from_string("processes:1")
    await pool.start()
    try:
        for _ in range(WARM_UP + ROUNDS):
            with followed() as out:
                waiting = run_async(operator.add, 2, 3)
            with followed() as back:
                answer = await waiting
            assert answer == 5
            del waiting  # its end belongs to no trip
            found.append({"run_async -> a process's pipe": out, "the outcome back": back})
    finally:
        await pool.stop()


class Client(Protocol):
    """A console's client: a socket, and nothing of txremote."""

    def __init__(self) -> None:
        self._shown = b""
        self._prompted: Deferred[bytes] = Deferred()

    def prompt(self) -> Deferred[bytes]:
        """Wait for the next prompt, and return what was shown before it."""
        return self._prompted

    def dataReceived(self, data: bytes) -> None:
        """Look for the prompt."""
        self._shown += data
        if self._shown.endswith(b"i> "):
            shown, self._shown = self._shown, b""
            prompted, self._prompted = self._prompted, Deferred()
            prompted.callback(shown)

    def type(self, line: bytes) -> Deferred[bytes]:
        """Send a line, and wait for its prompt."""
        self.transport.write(line + b"\r\n")  # type: ignore[union-attr]
        return self.prompt()


async def in_a_console(found: list[Trips]) -> None:
    """A line from a console's client, and what it is shown."""
    from twisted.internet import reactor

    from txremote import ConsoleService

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/console"
        service = ConsoleService(Commands, endpoints=[f"unix:{path}"])
        service.privilegedStartService()
        service.startService()
        client = Client()
        try:
            prompt = client.prompt()
            await connectProtocol(UNIXClientEndpoint(reactor, path), client)
            await prompt
            for _ in range(WARM_UP + ROUNDS):
                with followed() as steps:
                    shown = await client.type(b"hello")
                assert b"hello" in shown, shown
                found.append({"a console's line -> its task -> output and prompt": steps})
        finally:
            client.transport.loseConnection()  # type: ignore[union-attr]
            await service.stopService()


# --- all of them ------------------------------------------------------------------


def collect() -> dict[str, Any]:
    """
    Make all trips.

    Returns:
        By a trip's name the figures of each round, and the steps of the last one; or
        by its function's name a sentence that says why it could not be made.
    """
    told: dict[str, Any] = {}
    for trips in (in_memory, in_a_script):
        try:
            told |= report([*islice(trips(), WARM_UP + ROUNDS)])
        except Exception as problem:  # of a checkout that lacks something: the others are made
            told[trips.__name__] = why(problem)

    async def with_a_reactor(_reactor: object) -> None:
        for trips in (in_a_pool, in_a_console):
            found: list[Trips] = []
            try:
                await trips(found)
                told.update(report(found))
            except Exception as problem:
                told[trips.__name__] = why(problem)

    with suppress(SystemExit):  # with which `react` always ends
        task.react(with_a_reactor)
    return told


def report(found: list[Trips]) -> dict[str, Any]:
    """Return what is told of some trips that were made again and again."""
    counted = found[WARM_UP:]
    return {
        name: {"rounds": [figures(trips[name]) for trips in counted], "steps": steps}
        for name, steps in counted[-1].items()
    }


def why(problem: Exception) -> str:
    """Return a problem as one line."""
    return "".join(traceback.format_exception_only(problem)).strip().replace("\n", " ")


if __name__ == "__main__":
    assert PACKAGE.parent.samefile(os.getcwd()), f"not the checkout's txremote: {PACKAGE}"
    gc.disable()  # which calls what is to be told of an object's end, at any time
    print(json.dumps(collect()))
