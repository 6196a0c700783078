"""
Real processes for tests: started, read, and always ended.

`Program` is any process whose output is read line by line in a thread, so a
test can wait for a line (with a deadline) and the pipe never fills up.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests import prepared

ROOT = Path(__file__).resolve().parent.parent.parent

#: Seconds that a process may take to say what a test waits for.
DEADLINE = 30.0

# What the twistd script does. -P: like the script, and unlike plain -c, Python
# itself does not put the working directory on the path.
TWISTD = [
    *(sys.executable, "-P", "-c"),
    "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()",
]

#: A line of a log with something to complain of. That methods fail, as tests want, or take
#: long on a busy machine, is none.
TROUBLE = re.compile(
    r"^(?!.*\[txremote\.(?:call|slow)#warn\]).*#(?:warn|error|critical)\]"
    r"|^Unhandled|^Exception ignored"
)
_SERVES = r"txremote serves on (\S+) \((.*)\)$"


class Program:
    """
    A running process.

    Args:
        words: Its command line.
        env: Environment variables that differ from this process's.
        cwd: Where it runs; the root of the repository if None.
        cold: Whether its start is what matters (`tests.prepared`).
    """

    def __init__(
        self,
        words: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        cold: bool = False,
    ) -> None:
        self.words = words
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._at_end = False
        self._process = prepared.popen(
            words,
            cwd=cwd or ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            errors="replace",
            cold=cold,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._at_end = True
            self._news.notify_all()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def output(self) -> str:
        """All it has said, on either stream."""
        with self._news:
            return "\n".join(self.lines)

    def wait_for(self, pattern: str, timeout: float = DEADLINE, count: int = 1) -> list[Any]:
        """
        Wait until so many lines match, and return the matches.

        Raises:
            AssertionError: it ended, or the time is over, before that.
        """
        expression = re.compile(pattern)
        end = time.monotonic() + timeout
        with self._news:
            while True:
                found = [m for m in map(expression.search, self.lines) if m]
                if len(found) >= count:
                    return found
                if self._at_end or not self._news.wait(end - time.monotonic()):
                    break
        ended = "it ended" if self._at_end else f"not within {timeout:g} s"
        raise AssertionError(f"no line like {pattern!r} ({ended}):\n{self.output}")

    def wait(self, timeout: float = DEADLINE) -> int:
        """
        Wait for its end, and return its status; minus the signal that ended it.

        Raises:
            subprocess.TimeoutExpired: it does not end; with what it has said so far.
        """
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired as late:
            late.add_note(self.output)
            raise
        self._reader.join(timeout)
        return status

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> int:
        """
        Ask it to end as an administrator would (SIGTERM), and return its status.

        Raises:
            subprocess.TimeoutExpired: it does not; it has been killed then.
        """
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self.wait(15)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self.wait()


def script(name: str, *words: str, env: Mapping[str, str] | None = None) -> Program:
    """Start one of this folder's scripts."""
    return Program([sys.executable, "-m", f"tests.interop.{name}", *words], env=env)


class Hosted(Program):
    """
    ``twistd -n txremote``, up and serving.

    Args:
        service: The ``--service``.
        *listen: The ``--listen``s; a free port on loopback if there are none.
        options: More options of txremote.
        reactor: The reactor it shall run, or None for the default one.
        cwd: As for `Program`.

    Attributes:
        places: Where it listens, by the endpoint description's first word.
    """

    def __init__(
        self,
        service: str = "tests.interop.shop_hosted.Shop",
        *listen: str,
        options: list[str] | None = None,
        reactor: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        endpoints = listen or ("tcp:0:interface=127.0.0.1",)
        words = [*TWISTD, "-n", "--pidfile=", *([f"--reactor={reactor}"] if reactor else [])]
        words += ["txremote", "--service", service]
        for endpoint in endpoints:
            words += ["--listen", endpoint]
        super().__init__([*words, *(options or [])], cwd=cwd)
        try:
            found = self.wait_for(_SERVES, count=len(endpoints))
        except BaseException:
            self.kill()
            raise
        self.places = {m[2].split(":")[0]: m[1] for m in found}

    @property
    def port(self) -> int:
        """Its TCP port."""
        return self.port_of("tcp")

    @property
    def path(self) -> str:
        """The path of its UNIX socket."""
        return self.places["unix"].removeprefix("unix:")

    def port_of(self, kind: str) -> int:
        """The port of its endpoint of a kind."""
        return int(self.places[kind].rpartition(":")[2])

    def stop_cleanly(self) -> None:
        """Stop it, and check that nothing went wrong, at the end or before."""
        status = self.stop()
        output = self.output
        # twistd ends itself by the signal it got, once everything is closed
        assert status in (0, -15), f"status {status}:\n{output}"
        assert "Server Shut Down." in output, output
        trouble = [line for line in output.splitlines() if TROUBLE.search(line)]
        assert not trouble, output


# -- programs that run a list of checks


class Checks(dict[str, Callable[..., Any]]):
    """The checks of a program, by name, in order."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Add one (as a decorator)."""
        self[function.__name__.replace("_", " ").strip()] = function
        return function


def outcomes(output: str) -> dict[str, str]:
    """
    Read what such a program said: ``ok: name`` or ``FAILED: name`` and why.

    Returns:
        For each check an empty string, or why it failed.
    """
    found: dict[str, str] = {}
    name = None
    for line in output.splitlines():
        mark = re.match(r"(ok|FAILED): (.*)", line)
        if mark:
            name = mark[2] if mark[1] == "FAILED" else None
            found[mark[2]] = "" if name is None else "failed\n"
        elif name is not None:
            found[name] += line + "\n"
    return found
