"""
Clients of a console: Python's own socket that speaks telnet, and real programs on a
terminal.

Not a test file.
"""

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time

from tests.processes import PATIENCE, ROOT

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
ECHO, SGA, TTYPE, NAWS = 1, 3, 24, 31

PROMPT = "i> "


class Talker:
    """
    Something that is typed on, and shows what it is answered.

    Attributes:
        text: All it has shown so far.
    """

    text = ""

    def _send(self, text):
        raise NotImplementedError

    def _receive(self, timeout):
        """Wait for more text; None at the end, "" if the time is over."""
        raise NotImplementedError

    def _more(self, deadline):
        got = self._receive(max(0, deadline - time.monotonic()))
        if not got:
            raise AssertionError(f"{'ended' if got is None else 'silent'}:\n{self.text}")
        self.text += got

    def wait_for(self, pattern, since=0):
        """Wait until what was shown from a place on matches; return the match."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.text[since:])):
            self._more(deadline)
        return found

    def type(self, line):
        """Type a line."""
        self._send(line + "\n")

    def ask(self, line):
        """Type a line, wait for the next prompt, and return the lines between."""
        since = len(self.text)
        self.type(line)
        deadline = time.monotonic() + PATIENCE
        while not self.text[since:].endswith(PROMPT):
            self._more(deadline)
        answer = self.text[since:].removesuffix(PROMPT).replace("\r", "")
        return answer.removeprefix(f"{line}\n").splitlines()

    def until(self, line, pattern):
        """Ask again and again until the answer matches; return its lines."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lines = self.ask(line)
            if re.search(pattern, "\n".join(lines)):
                return lines
            time.sleep(0.01)
        raise AssertionError(f"{line!r} never answers {pattern!r}:\n{self.text}")

    def wait_for_end(self):
        """Wait until the other side has ended it."""
        deadline = time.monotonic() + PATIENCE
        with contextlib.suppress(ConnectionError):
            while (got := self._receive(deadline - time.monotonic())) is not None:
                assert got, f"it does not end:\n{self.text}"
                self.text += got


class TelnetSocket(Talker):
    """
    A telnet client of Python's own: it negotiates as PuTTY does, and checks what it is
    answered.

    Args:
        address: A port of this machine, or the path of a UNIX socket.
    """

    def __init__(self, address):
        if isinstance(address, int):
            self.socket = socket.create_connection(("127.0.0.1", address), PATIENCE)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address)
        offers = [(WILL, NAWS), (WILL, TTYPE), (DO, SGA), (DO, ECHO)]
        self._refusals = {
            bytes((IAC, DONT if verb == WILL else WONT, option)) for verb, option in offers
        }
        self.socket.sendall(b"".join(bytes((IAC, *offer)) for offer in offers))

    def __enter__(self):
        self.wait_for(f"{PROMPT}$")
        return self

    def __exit__(self, *_exc):
        self.socket.close()

    def type(self, line):
        """Type a line, in two packets, with telnet's line end."""
        data = line.encode()
        half = len(data) // 2
        self.socket.sendall(data[:half])
        self.socket.sendall(data[half:] + b"\r\n")

    def _receive(self, timeout):
        self.socket.settimeout(max(timeout, 0.001))
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return ""
        if not data:
            return None
        for refusal in [each for each in self._refusals if each in data]:
            self._refusals.discard(refusal)
            data = data.replace(refusal, b"", 1)
        assert IAC not in data, data  # an option is answered once
        # what one packet cuts in two is not what these tests are about
        return data.decode("utf-8", "replace") or self._receive(timeout)

    def interrupt(self):
        """The bytes that telnet sends for Ctrl-C."""
        self.socket.sendall(bytes((IAC, 244)))


class OnTerminal(Talker):
    """
    A program on a terminal.

    Args:
        *words: Its command line.
        echo: Whether the terminal shows what is typed.
        env: Environment variables besides this process's.
        cwd: Where it runs.
    """

    def __init__(self, *words, echo=False, env=None, cwd=ROOT):
        self._fd, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (50, 200))
        if not echo:
            settings = termios.tcgetattr(terminal)
            settings[3] &= ~termios.ECHO
            termios.tcsetattr(terminal, termios.TCSANOW, settings)
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=cwd,
            env={**os.environ, "TERM": "dumb", **(env or {})},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(terminal)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._fd)

    def _send(self, text):
        os.write(self._fd, text.encode())

    def press(self, key):
        """Press a key: "c" for Ctrl-C."""
        os.write(self._fd, bytes((ord(key) & 31,)))

    def _receive(self, timeout):
        ready, _, _ = select.select([self._fd], [], [], timeout)
        if not ready:
            return ""
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            return None
        return data.decode("utf-8", "replace") if data else None

    def finish(self):
        """Wait until it ends; return its exit status."""
        self.wait_for_end()
        return self.process.wait(PATIENCE)


def _take_terminal():
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def txremote(*words, **options):
    """Return the txremote command on a terminal."""
    return OnTerminal(sys.executable, "-m", "txremote", *words, **options)
