"""
A real game, and players who type.

`Game` copies the environment's empty game, gives it free ports, and starts, reloads, stops and
kills it with Evennia's own launcher. `Player` is a telnet client that refuses every option: it
logs in, types lines and waits for lines. Both are for a ``with``; nothing runs afterwards::

    with Game(tmp_path) as game:
        game.write("world/jobs.py", "def double(n): return 2 * n")
        game.start()
        with game.player("ann") as ann:
            ann.type("look")
            ann.expect("Limbo")

`Game.python` runs lines inside the game's folder with Django and Evennia set up, in a process of
their own, whether the Server runs or not.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import pytest

from tests.contrib.evennia import environment
from tests.contrib.evennia.environment import PASSWORD, SUPERUSER, TEMPLATE
from tests.processes import free_port

#: Seconds that a player waits for a line, and that the launcher may take.
PATIENCE = 90
LAUNCH = 90

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

#: For every file of tests that needs a game.
needs_evennia = pytest.mark.skipif(
    environment.why_not() is not None, reason=str(environment.why_not())
)

#: Settings of every game of the tests: cheap passwords, no limits on logging in.
SETTINGS = """
TELNET_PORTS = [{telnet}]
TELNET_INTERFACES = ["127.0.0.1"]
WEBSERVER_PORTS = [({web}, {inner})]
WEBSERVER_INTERFACES = ["127.0.0.1"]
WEBSOCKET_CLIENT_PORT = {websocket}
WEBSOCKET_CLIENT_INTERFACE = "127.0.0.1"
AMP_PORT = {amp}
MAX_CONNECTION_RATE = 1000
LOGIN_THROTTLE_LIMIT = None
CREATION_THROTTLE_LIMIT = None
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
"""
PORTS = ("telnet", "web", "inner", "websocket", "amp")

#: What `Game.python` begins with.
SET_UP = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "server.conf.settings"
import django
django.setup()
import evennia
evennia._init()
"""

MAKE_ACCOUNTS = """
from evennia.utils.create import create_account, create_object
from evennia import ObjectDB, settings_default
from django.conf import settings
limbo = ObjectDB.objects.get(id=2)
for name in {names!r}:
    account = create_account(name, "", {password!r})
    character, errors = account.create_character(key=name, location=limbo, home=limbo)
    assert not errors, errors
    account.db._last_puppet = character
    account.db.FIRST_LOGIN = False
"""


class Game:
    """
    A game in a folder of its own.

    Args:
        folder: Where its folder is made.
        name: Of its folder.
        settings: Lines that end its ``secret_settings.py``, such as another database.
        copied: Whether it is a copy of the empty game; else `make` makes it.

    Attributes:
        folder: The game's own folder.
        copied: As it was given.
        ports: By name: telnet, web, websocket, amp.
    """

    def __init__(
        self, folder: Path, name: str = "mygame", settings: str = "", copied: bool = True
    ) -> None:
        self.folder = folder / name
        self.ports = {name: free_port() for name in PORTS}
        self.copied = copied
        self._settings = SETTINGS.format(**self.ports) + settings
        if copied:
            shutil.copytree(TEMPLATE, self.folder)
            self.append("server/conf/secret_settings.py", self._settings)

    def make(self, name: str) -> None:
        """Make the folder with ``evennia --init``, where it is not a copy; with these settings."""
        self.folder = self.folder.with_name(name)
        self.command("evennia", "--init", name, cwd=self.folder.parent)
        self.append("server/conf/secret_settings.py", self._settings)

    def __enter__(self) -> Game:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def write(self, path: str, text: str) -> None:
        """Write one of the game's files."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))

    def append(self, path: str, text: str) -> None:
        """Add lines to one of the game's files."""
        file = self.folder / path
        file.write_text(file.read_text() + "\n" + textwrap.dedent(text))

    def command(self, *words: str, timeout: float = LAUNCH, cwd: Path | None = None) -> str:
        """
        Run a command of the environment in the game's folder.

        Returns:
            All that it printed.

        Raises:
            AssertionError: It failed, or did not end in time.
        """
        program, *arguments = words
        try:
            done = subprocess.run(
                [str(environment.bin(program)), *arguments],
                cwd=cwd or self.folder,
                env=environment.variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{words[:2]} does not end: {late.stdout!r}\n{self.log}") from None
        assert done.returncode == 0, f"{done.stdout}\n{self.log}"
        return done.stdout

    def launch(self, operation: str) -> str:
        """Run ``evennia start``, or another operation, to its end; return what it printed."""
        return self.command("evennia", operation)

    def python(self, source: str, timeout: float = LAUNCH) -> str:
        """Run lines in the game, with Evennia set up; return what they print."""
        return self.command("python", "-c", SET_UP + textwrap.dedent(source), timeout=timeout)

    def start(self) -> None:
        """Start Portal and Server."""
        printed = self.launch("start")
        if "timed out" in printed:  # the launcher waits for ten seconds, which a busy machine needs
            wait_for_port(self.ports["amp"])
            printed = self.launch("start")
        assert "Evennia running" in printed or self.pid("server"), f"{printed}\n{self.log}"

    def reload(self) -> None:
        """Start the Server anew; players stay connected."""
        printed = self.launch("reload")
        assert "Server reloaded" in printed, f"{printed}\n{self.log}"

    def stop(self) -> None:
        """Stop Server and Portal."""
        running = [pid for pid in (self.pid("server"), self.pid("portal")) if pid]
        self.launch("stop")
        wait_until_gone(running)  # the launcher does not always hear of it

    def pid(self, part: str) -> int | None:
        """Return the process id of ``"server"`` or ``"portal"``, or None if it does not run."""
        try:
            pid = int((self.folder / "server" / f"{part}.pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def children(self, part: str = "server") -> list[int]:
        """Return the process ids that Server or Portal have started: the workers of pools."""
        pid = self.pid(part)
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if pid is not None and int(fields[1]) == pid:
                found.append(int(stat.parent.name))
        return found

    def kill(self) -> None:
        """End all of it at once, if it still runs, and wait until it is gone."""
        for part in ("portal", "server"):
            pid = self.pid(part)
            children = self.children(part)
            for each in [pid, *children] if pid else []:
                try:
                    os.kill(each, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if pid:
                wait_until_gone([pid, *children])

    @property
    def log(self) -> str:
        """Both logs: what Server and Portal have said."""
        logs = sorted((self.folder / "server" / "logs").glob("*.log"))
        return "\n".join(f"== {log.name}\n{log.read_text()}" for log in logs)

    @property
    def server_log(self) -> str:
        """What the Server has said."""
        file = self.folder / "server" / "logs" / "server.log"
        return file.read_text() if file.exists() else ""

    def wait_for_log(self, text: str, timeout: float = LAUNCH) -> None:
        """
        Wait until the Server has logged something.

        Raises:
            AssertionError: It has not, in so many seconds.
        """
        end = time.monotonic() + timeout
        while text not in self.server_log:
            assert time.monotonic() < end, f"no {text!r} in\n{self.log}"
            time.sleep(0.1)

    def make_accounts(self, names: Iterable[str], more: str = "") -> None:
        """
        Make accounts with a character each, in Limbo; before the Server is started.

        Args:
            names: Theirs, and of their characters.
            more: Lines that are run behind it, in the same process.
        """
        made = MAKE_ACCOUNTS.format(names=list(names), password=PASSWORD)
        self.python(made + textwrap.dedent(more))

    def player(self, name: str = SUPERUSER) -> Player:
        """Return a player who has logged in and plays the account's character."""
        player = Player(self.ports["telnet"], name)
        try:
            player.type(f"connect {name} {PASSWORD}")
            player.expect("You become")
        except BaseException:
            player.close()
            raise
        return player


class Player:
    """
    A telnet client.

    Args:
        port: Where the game listens.
        name: For messages of tests.

    Attributes:
        heard: All that the game has told so far, without colours.
    """

    def __init__(self, port: int, name: str = "") -> None:
        self.name = name
        self.heard = ""
        self._seen = 0  # what expect() has passed
        self._raw = bytearray()
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def type(self, line: str) -> None:
        """Type a line."""
        self._socket.sendall(line.encode() + b"\r\n")

    def pass_over(self) -> None:
        """Take what was told so far as seen: `expect` waits for what comes after it."""
        while self.read(0.01):
            pass
        self._seen = len(self.heard)

    def expect(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """
        Wait until something that matches is told after what was waited for last.

        Raises:
            AssertionError: It was not, in so many seconds.
        """
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.heard[self._seen :])
            if found:
                self._seen += found.end()
                return found
            left = end - time.monotonic()
            if left <= 0 or not self.read(left):
                raise AssertionError(
                    f"{self.name} does not hear {pattern!r} after:\n{self.heard[-3000:]}"
                )

    def read(self, timeout: float) -> bool:
        """Take what the game tells within a time; return whether it told anything."""
        self._socket.settimeout(timeout)
        try:
            received = self._socket.recv(65536)
        except TimeoutError:
            return False
        if not received:
            return False
        self._raw += received
        self.heard += ANSI.sub("", self._text().decode("utf-8", "replace")).replace("\r", "")
        return True

    def _text(self) -> bytes:
        """Take the text out of what was received; refuse what options it offers or asks for."""
        text = bytearray()
        raw, at = self._raw, 0
        while at < len(raw):
            if raw[at] != IAC:
                text.append(raw[at])
                at += 1
                continue
            size = self._size_of_command(at)
            if not size:
                break
            if raw[at + 1] in (DO, WILL):
                answer = WONT if raw[at + 1] == DO else DONT
                self._socket.sendall(bytes([IAC, answer, raw[at + 2]]))
            at += size
        del raw[:at]
        return bytes(text)

    def _size_of_command(self, at: int) -> int:
        """Return how many bytes a command of telnet has, or 0 if they are not all there."""
        raw = self._raw
        if len(raw) < at + 2:
            return 0
        if raw[at + 1] == SB:
            end = raw.find(bytes([IAC, SE]), at)
            return end + 2 - at if end >= 0 else 0
        size = 3 if raw[at + 1] in (DO, DONT, WILL, WONT) else 2
        return size if len(raw) >= at + size else 0


def wait_for_port(port: int, timeout: float = PATIENCE) -> None:
    """
    Wait until somebody listens on a port.

    Raises:
        OSError: Nobody does, in so many seconds.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def wait_until_gone(pids: Iterable[int], timeout: float = PATIENCE) -> None:
    """
    Wait until processes have ended.

    Raises:
        AssertionError: One has not, in so many seconds.
    """
    end = time.monotonic() + timeout
    left = list(pids)
    while left:
        left = [pid for pid in left if _runs(pid)]
        assert time.monotonic() < end, f"these still run: {left}"
        time.sleep(0.02 if left else 0)


def _runs(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
