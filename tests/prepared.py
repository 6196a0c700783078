"""
Programs of this project that tests start, without most of the start.

The suite starts ``twistd`` and ``txremote`` some hundred times. Nine tenths of a start are imports,
half a second of a processor, and the same ones each time. So one process beside each pytest imports
them once, before there is any reactor, and forks at each start. What comes of it is a process as
any other, with its own number, descriptors, directory, environment and arguments. It runs the
script that was named, as ``__main__``, and its interpreter ends as it does otherwise.

A program begins by itself where that can make a difference: it is none of these two, its
environment differs in what an interpreter looks at when it begins (`SEEN_AT_START`), the system
has no ``pidfd_open``, or ``TXREMOTE_TESTS_COLD`` is set. Tests of the start itself say ``cold``.

The process that forks has no threads and no signal handlers. It ends when its standard input does:
with pytest, however that ends.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import importlib
import io
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent

#: What servers and commands import; nothing of it installs a reactor.
MODULES = (
    *("twisted.scripts.twistd", "twisted.internet.epollreactor", "twisted.plugins"),
    *("twisted.words.iwords", "twisted.trial.itrial", "twisted.web.resource", "twisted.web.server"),
    *("txremote.cli", "txremote.daemon.tap", "txremote.daemon.hosting", "txremote.blocking"),
    *("txremote.work.threads", "txremote.work.run", "txremote.passwords.checker"),
)

#: Variables that an interpreter, or a library in C, reads once.
SEEN_AT_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "MALLOC_", "OPENSSL_", "OTEL_")

_HIGH = 1000  # descriptors from here on are nobody's


class Order(NamedTuple):
    """What to run: ``words`` begin with a script's path, or with -P -c and a text."""

    words: list[str]
    cwd: str
    env: dict[str, str]
    numbers: list[int]


# -- in the process that forks


def main() -> None:
    """Import, then fork for each order; in a new process, become what was ordered."""
    path = sys.path[1:]
    sys.path[:] = path
    for name in MODULES:
        importlib.import_module(name)
    assert "twisted.internet.reactor" not in sys.modules
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(100)
        order = _fork_for_ever(listener)
    _become(order, path)


def _fork_for_ever(listener: socket.socket) -> Order:
    """Take orders; return one in the process that is to follow it."""
    poll = select.poll()
    for number in (0, listener.fileno()):
        poll.register(number, select.POLLIN)
    print("ready", flush=True)
    waiting: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for ready, _event in poll.poll():
            if ready == 0:
                shutil.rmtree(os.path.dirname(sys.argv[1]))
                os._exit(0)
            if ready == listener.fileno():
                connection, _address = listener.accept()
                order, descriptors = _received(connection)
                pid = os.fork()
                if not pid:
                    for each in (listener, connection, *(own for _pid, own in waiting.values())):
                        each.detach()  # or it would close a number that is another's by then
                    _place(descriptors, order.numbers)
                    return order
                for descriptor in descriptors:
                    os.close(descriptor)
                watched = os.pidfd_open(pid)
                poll.register(watched, select.POLLIN)
                waiting[watched] = (pid, connection)
                _tell(connection, pid)
            else:
                pid, connection = waiting.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                _tell(connection, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                connection.close()


def _received(connection: socket.socket) -> tuple[Order, list[int]]:
    head, descriptors, _flags, _address = socket.recv_fds(connection, 8, 64)
    with connection.makefile("rb") as stream:
        return Order(*json.loads(stream.read(int(head, 16)))), descriptors


def _tell(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody wants to know any more
        connection.sendall(b"%d\n" % number)


def _place(descriptors: list[int], numbers: list[int]) -> None:
    """Have these descriptors by their numbers, and no other."""
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH) for descriptor in descriptors]
    os.closerange(0, _HIGH)
    for descriptor, number in zip(high, numbers, strict=True):
        os.dup2(descriptor, number)
    os.closerange(_HIGH, max(high) + 1)


def _become(order: Order, path: list[str]) -> None:
    """Run it as an interpreter that has just begun would."""
    os.chdir(order.cwd)
    os.environ.clear()
    os.environ.update(order.env)
    sys.stdin = sys.__stdin__ = open(0, closefd=False)
    unbuffered = "PYTHONUNBUFFERED" in order.env
    binary: Any = open(1, "wb", buffering=0 if unbuffered else -1, closefd=False)
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(binary, write_through=unbuffered)
    sys.stderr = sys.__stderr__ = open(2, "w", closefd=False, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True)
    importlib.invalidate_caches()
    if order.words[0] != "-P":
        sys.argv[:] = order.words
        sys.path[:] = [str(Path(order.words[0]).parent), *path]
        runpy.run_path(order.words[0], run_name="__main__")
        return
    sys.argv[:] = ["-c", *order.words[3:]]
    begun = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(order.words[2], begun.__dict__)


# -- in pytest


class Forked:
    """A process, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, order: Order, descriptors: Sequence[int], pipes: dict[str, IO[Any]]) -> None:
        self.stdin, self.stdout = pipes.get("stdin"), pipes.get("stdout")
        self.returncode: int | None = None
        text = json.dumps(order).encode()
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_forking())
        socket.send_fds(self._connection, [b"%08x" % len(text)], descriptors)
        self._connection.sendall(text)
        self._told = self._connection.makefile("rb", buffering=0)
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Return its exit status if it has ended."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self._ended()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked program", timeout or 0)
            self._ended()
        assert self.returncode is not None
        return self.returncode

    def _ended(self) -> None:
        self.returncode = int(self._told.readline())
        self._told.close()
        self._connection.close()

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ends at this moment
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


@functools.cache
def _forking() -> str:
    """Start the process that forks, once; return where it takes orders."""
    path = os.path.join(tempfile.mkdtemp(prefix="prepared"), "orders")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.prepared", path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()

    def end() -> None:
        process.stdin.close()
        process.wait()

    atexit.register(end)
    return path


def _order(
    words: Sequence[str | os.PathLike[str]],
    cwd: str | os.PathLike[str],
    env: Mapping[str, str] | None,
    passed: Sequence[int] = (),
) -> Order | None:
    """Return how these words are run by a fork; None if they have to begin by themselves."""
    env = os.environ if env is None else env
    scripts = [str(Path(sys.executable).with_name(name)) for name in ("twistd", "txremote")]
    words = [os.fspath(word) for word in words]
    if words[0] == sys.executable and words[1:3] == ["-P", "-c"] and "twistd" in words[3]:
        words = words[1:]
    elif words[0] not in scripts:
        return None
    if not hasattr(os, "pidfd_open") or "TXREMOTE_TESTS_COLD" in os.environ:
        return None
    seen = [
        name
        for name in {*env, *os.environ}
        if name.startswith(SEEN_AT_START) and name != "PYTHONUNBUFFERED"
    ]
    if any(env.get(name) != os.environ.get(name) for name in seen):
        return None
    return Order(words, os.path.abspath(cwd), dict(env), [0, 1, 2, *passed])


def popen(
    words: list[str],
    *,
    cwd: str | os.PathLike[str],
    env: Mapping[str, str] | None,
    stdin: int,
    pass_fds: Sequence[int] = (),
    errors: str | None = None,
    cold: bool = False,
) -> Forked | subprocess.Popen[str]:
    """
    Start a program whose output and errors come by one pipe, as text.

    Args:
        words: Its command line.
        cwd: Where it runs.
        env: Its whole environment, if not this process's.
        stdin: ``subprocess.PIPE`` or ``subprocess.DEVNULL``.
        pass_fds: Descriptors that it has, too.
        errors: What to do where its output is no text.
        cold: Whether it shall begin by itself in any case.
    """
    order = None if cold else _order(words, cwd, env, pass_fds)
    if order is None:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            pass_fds=pass_fds,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors=errors,
        )
    out_read, out_write = os.pipe()
    pipes: dict[str, IO[Any]] = {"stdout": open(out_read, errors=errors)}
    if stdin == subprocess.PIPE:
        in_read, in_write = os.pipe()
        pipes["stdin"] = open(in_write, "w")
    else:
        in_read = os.open(os.devnull, os.O_RDONLY)
    try:
        return Forked(order, [in_read, out_write, out_write, *pass_fds], pipes)
    finally:
        os.close(in_read)
        os.close(out_write)


def run(
    words: list[str], *, cwd: str | os.PathLike[str], env: Mapping[str, str] | None, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command that is told nothing to its end. Raises subprocess.TimeoutExpired."""
    order = _order(words, cwd, env)
    if order is None:
        return subprocess.run(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    with (
        open(os.devnull) as nothing,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        process = Forked(order, [each.fileno() for each in (nothing, out, err)], {})
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
            process.wait()
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(words, status, out.read(), err.read())


if __name__ == "__main__":
    main()
