"""
What a forked process finds of its parent's: it uses nothing, ends nothing, serves nobody.

Each test forks for real. Server and clients live in the tests' reactor and threads.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import rpyc
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

import txremote.blocking as blocking
from tests.net.servers import endpoint_of, served
from txremote import Service, WrongProcess, connect, exposed, run_async, threaded
from txremote.blocking.utils.server import ThreadedServer
from txremote.refs import forks
from txremote.work.processes import ProcessPool
from txremote.work.threads import ThreadPool


def in_child(function: Callable[[], Any]) -> str:
    """Fork, call a function in the child, and return what that came to, in words."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            signal.alarm(20)  # nothing waits for ever
            try:
                said = repr(function())
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
                traceback.print_exc()
            os.write(writing, said.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    assert os.waitpid(pid, 0)[1] == 0
    return said


def raised(function: Callable[[], Any]) -> str:
    """Return the name of what a function raises."""
    try:
        function()
    except Exception as error:
        return type(error).__name__
    return "nothing"


class Forks(Service):
    """Forks in every way a method can, and returns in both processes."""

    def __init__(self) -> None:
        self.asked = 0

    @exposed
    def count(self) -> int:
        """Count the calls."""
        self.asked += 1
        return self.asked

    @exposed
    def at_once(self) -> int:
        """Fork at once."""
        return os.fork()

    @exposed
    async def later(self) -> int:
        """Fork in a coroutine that has waited."""
        from twisted.internet import reactor

        await deferLater(reactor, 0.01)
        return os.fork()

    @exposed
    def fails(self) -> None:
        """Fork, and raise."""
        raise ValueError(os.fork())

    @exposed
    @threaded
    def beside(self) -> int:
        """Fork in a thread."""
        return os.fork()

    @exposed
    def in_pool(self) -> Deferred[int]:
        """Fork in a job."""
        return run_async(os.fork, use_thread=True)

    @exposed
    def call(self, function: Any) -> Any:
        """Call the client back."""
        return function()


async def ended(pid: int) -> int:
    """Wait for a child's end, and return its status."""
    status: int = (await deferToThread(os.waitpid, pid, 0))[1]
    return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("name", ["at_once", "later", "fails", "beside", "in_pool"])
@pytest.mark.parametrize("threaded_service", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_method_that_forks_and_returns_leaves_no_second_server(
    name: str, threaded_service: bool, capfd: Any
) -> None:
    """The parent's answer is the only one; the child says why it ends."""
    if threaded_service and name == "in_pool":
        return  # run_async is for the reactor's thread

    def calls(port: int) -> tuple[int, list[int]]:
        with rpyc.connect("127.0.0.1", port) as client, rpyc.connect("127.0.0.1", port) as other:
            try:
                pid = getattr(client.root, name)()
            except ValueError as error:
                pid = int(str(error).split()[0])
            return pid, [client.root.count(), client.root.count(), other.root.count()]

    async with served(Forks(), threaded_service=threaded_service) as port:
        pid, counts = await deferToThread(calls, port.getHost().port)
        assert pid > 0
        assert await ended(pid) == 1
        assert counts == [1, 2, 3]
    assert "it would be a second server" in capfd.readouterr().err


@pytest_twisted.ensureDeferred
async def test_a_child_of_the_reactor_s_thread_uses_and_ends_nothing(tmp_path: Path) -> None:
    """Connection, port, socket file, pools: each is the parent's, and goes on."""
    from twisted.internet import reactor

    path = tmp_path / "socket"
    threads, processes = ThreadPool(reactor, 1), ProcessPool(reactor, 1, 1)
    await threads.start()
    await processes.start()
    async with served(Forks(), f"unix:{path}") as port:
        conn = await connect(endpoint_of(port))
        assert await conn.root.count() == 1

        def child() -> list[Any]:
            failures: list[str] = []
            for pool in (threads, processes):
                pool.submit(os.getpid).addErrback(lambda f: failures.append(f.type.__name__))
                pool.stop()
            closed: list[Any] = []
            conn.close().addCallback(lambda how: closed.append(type(how).__name__))
            port.stopListening()
            return [
                raised(conn.root.count),
                raised(lambda: conn.ping()),
                closed,
                failures,
                conn.root is not None,
            ]

        said = in_child(child)
        assert said == repr(
            ["WrongProcess", "WrongProcess", ["WrongProcess"], ["WrongProcess"] * 2, True]
        )
        assert path.exists()
        assert await conn.root.count() == 2
        other = await connect(endpoint_of(port))
        assert await other.root.count() == 3
        assert await threads.submit(divmod, (7, 2)) == (3, 1)
        assert await processes.submit(divmod, (7, 2)) == (3, 1)
        await other.close()
        await conn.close()
    await threads.stop()
    await processes.stop()


@pytest_twisted.ensureDeferred
async def test_a_child_may_connect_anew() -> None:
    """Also by a blocking call in what was the reactor's thread: no reactor runs there."""
    async with served(Forks()) as port:
        number = port.getHost().port

        def forked() -> str:
            def child() -> int:
                with blocking.connect("127.0.0.1", number) as conn:
                    return int(conn.root.count())

            return in_child(child)

        assert await deferToThread(forked) == "1"
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                with blocking.connect("127.0.0.1", number) as conn:
                    os.write(writing, str(conn.root.count()).encode())
            finally:
                os._exit(0)
        os.close(writing)
        assert await deferToThread(os.read, reading, 10) == b"2"
        os.close(reading)
        assert await ended(pid) == 0


def script(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a thread, where it may block, with a server and a connection."""

    @wraps(test)
    def run(self: Any, **fixtures: Any) -> None:
        def work() -> None:
            self.server = ThreadedServer(Forks())
            serving = threading.Thread(target=self.server.start, daemon=True)
            serving.start()
            try:
                with blocking.connect("127.0.0.1", self.server.port) as self.conn:
                    test(self, **fixtures)
            finally:
                self.server.close()
                serving.join(10)

        with ThreadPoolExecutor(1) as threads:
            threads.submit(work).result(60)

    return run


class TestInAScript:
    """A connection of `txremote.blocking`, and what serves it."""

    server: Any
    conn: Any

    @script
    def test_every_use_in_a_child_says_so(self) -> None:
        """A call, a result to come, serving, the background thread's end."""
        background = blocking.BgServingThread(self.conn)
        root, slow = self.conn.root, blocking.async_(self.conn.root.count)
        uses: list[Callable[[], Any]] = [
            root.count,
            slow,
            lambda: self.conn.serve(0),
            lambda: self.conn.poll_all(0),
            self.conn.ping,
            lambda: root.anything,
            background.stop,
            self.conn.close,
            self.conn.close,
            self.server.close,
        ]
        said = in_child(lambda: [raised(use) for use in uses])
        assert said == repr(["WrongProcess"] * 6 + ["nothing"] * 4)
        assert [root.count(), slow().value] == [1, 2]
        background.stop()
        with blocking.connect("127.0.0.1", self.server.port) as other:
            assert other.root.count() == 3

    @script
    def test_a_result_that_has_come_is_the_child_s_too(self) -> None:
        """One that has not would never come."""
        come, pending = (blocking.async_(self.conn.root.count)() for _ in range(2))
        come.wait()
        assert in_child(lambda: [come.value, raised(lambda: pending.value)]) in (
            repr([1, "WrongProcess"]),
            repr([1, "nothing"]),  # the second has come together with the first
        )
        assert pending.value == 2

    @script
    def test_a_callback_that_forks_and_returns(self) -> None:
        """The call that it came in goes on in one process, and says so in the other."""
        reading, writing = os.pipe()
        parent = os.getpid()
        try:
            assert self.conn.root.call(os.fork) > 0
        except WrongProcess as error:
            os.write(writing, str(error).encode())
        finally:
            if os.getpid() != parent:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            assert b"belongs to process" in pipe.read()
        os.wait()
        assert self.conn.root.count() == 1

    @script
    def test_a_server_s_child_does_not_take_its_socket_away(self, tmp_path: Path) -> None:
        """Neither before the server is started nor after."""
        path = tmp_path / "socket"
        server = ThreadedServer(Forks, socket_path=str(path))
        assert in_child(server.close) == "None"
        assert path.exists()
        server.close()
        assert not path.exists()


def test_here_is_another_in_each_child() -> None:
    """And the error names both processes."""
    home = forks.here
    text = in_child(lambda: (forks.here is home, str(forks.wrong_process(home))))
    assert text.startswith(f"(False, 'the connection belongs to process {os.getpid()},")
    assert forks.here is home
