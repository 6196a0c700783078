"""
Processes for tests: started, read line by line, always ended.

Not a test file. A `Program` is any command whose output a test waits for; `twistd`
starts the daemon as a user does and waits until it tells its port.
"""

import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests import prepared

#: The folder that setup.cfg is in.
ROOT = Path(__file__).resolve().parent.parent

#: Seconds after which a test gives up on something that takes much less.
PATIENCE = 30

SERVES = re.compile(r"txremote serves on (\S+):(\d+) ")


def run_for_nobody(*words: str, typed: str = "") -> tuple[int, str]:
    """Run a command whose output nobody reads, as behind ``head``; return (status, errors)."""
    reading, output = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            words,
            input=typed,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(output)
    return done.returncode, done.stderr


def script(name: str) -> str:
    """Return the path of a command that is installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody is given who asks for any."""
    while True:
        port = random.randrange(20_000, 32_000)  # below those that systems hand out
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


class Program:
    """
    A command that runs. Use it in a ``with``: it is gone afterwards.

    Args:
        *words: The command line.
        cwd: Where it runs.
        env: Its whole environment, if not this process's.
        pass_fds: Descriptors that it has, too.
        cold: Whether its start is what matters (`tests.prepared`).

    Attributes:
        output: What it has printed so far, errors included.
    """

    def __init__(self, *words, cwd=ROOT, env=None, pass_fds=(), cold=False):
        self.output = ""
        self._changed = threading.Condition()
        self._ended = False
        self._process = prepared.popen(
            [str(word) for word in words],
            cwd=cwd,
            env=env,
            pass_fds=pass_fds,
            stdin=subprocess.PIPE,
            cold=cold,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self.output += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.kill()

    @property
    def runs(self):
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def wait_for(self, pattern, timeout=PATIENCE):
        """Wait until the output matches a regular expression; return the match."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = re.search(pattern, self.output)
                if found:
                    return found
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    raise AssertionError(f"no {pattern!r} in what it printed:\n{self.output}")
                self._changed.wait(left)

    def say(self, line):
        """Type a line on its standard input."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def end_input(self):
        """Close its standard input."""
        self._process.stdin.close()

    def signal(self, number):
        """Send it a signal."""
        self._process.send_signal(number)

    def finish(self, timeout=PATIENCE):
        """Wait until it ends by itself; return its exit status."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; it printed:\n{self.output}") from None
        self._reader.join(timeout)
        return status

    def kill(self):
        """End it at once, if it still runs, and let go of everything."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:  # unsent input of a program that is gone
                pass


class Twistd(Program):
    """
    ``twistd -n txremote`` with a service, on a free loopback port.

    Attributes:
        endpoint: Where it serves, as `txremote.connect` takes it.
        port: The number.
    """

    def __init__(self, service, *words, cwd=ROOT, listen="tcp:0:interface=127.0.0.1", env=None):
        super().__init__(
            *(script("twistd"), "--pidfile=", "-n", "txremote"),
            *("--service", service, "--listen", listen, *words),
            cwd=cwd,
            env=env,
        )
        try:
            self.port = int(self.wait_for(SERVES)[2])
        except BaseException:
            self.kill()
            raise
        self.endpoint = f"tcp:127.0.0.1:{self.port}"


def run(*words, cwd=ROOT, env=None, timeout=PATIENCE):
    """Run a command to its end; return (status, output, errors)."""
    done = prepared.run([str(word) for word in words], cwd=cwd, env=env, timeout=timeout)
    return done.returncode, done.stdout, done.stderr
