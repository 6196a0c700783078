"""
``txremote shell --await``, on a terminal, as a user has it.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.console.clients import OnTerminal
from tests.document_runner import PROMPTS, Reader, compare
from tests.processes import ROOT, Twistd

SERVICE = """\
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from txremote import Service, exposed


class Room:
    exposed_name = "kitchen"

    @exposed
    def players(self):
        return ("ann", "bob")


class Desk(Service):
    exposed_room = Room()
    cancelled = 0
    left = 0

    def on_disconnect(self, conn):
        Desk.left += 1

    @exposed
    def add(self, first, second=2):
        return first + second

    @exposed
    def never(self, on_begin):
        def cancelled(deferred):
            Desk.cancelled += 1

        on_begin("begun")
        return Deferred(cancelled)

    @exposed
    def counts(self):
        return Desk.cancelled, Desk.left

    @exposed
    def ring(self, seconds, on_ring):
        reactor.callLater(seconds, on_ring, "ding")

    @exposed
    def fail(self):
        raise ValueError("no such luck")
"""


class Prompt(OnTerminal):
    """A prompt, with a server to talk to."""

    def __init__(self, server: str, folder: Path) -> None:
        super().__init__(
            *(sys.executable, "-m", "txremote", "shell", "--await", server),
            cwd=folder,
            env={"HOME": str(folder), "PYTHONPATH": str(ROOT)},
        )
        self.greeting = self.answer(0)

    def answer(self, since: int) -> str:
        """Wait for the next prompt, and return what was printed before it."""
        self.wait_for(r"(^|\n|(?:>>> |\.\.\. ))(>>> |\.\.\. )$", since)
        return PROMPTS.sub("", self.text[since:].replace("\r", ""))

    def say(self, source: str) -> str:
        """Type a statement, and return what it prints."""
        printed = ""
        lines = source.rstrip("\n").split("\n")
        for line in lines if len(lines) == 1 else [*lines, ""]:
            since = len(self.text)
            self.type(line)
            self.wait_for(r"(>>> |\.\.\. )$", since)
            printed += PROMPTS.sub("", self.text[since:].replace("\r", ""))
        return printed

    def interrupted(self) -> str:
        """Press Ctrl-C, and return what is printed."""
        since = len(self.text)
        self.press("c")
        self.wait_for(r"KeyboardInterrupt\r\n>>> $", since)
        return self.text[since:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service in it."""
    path = tmp_path_factory.mktemp("desk")
    (path / "desk.py").write_text(SERVICE)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Twistd]:
    """A twistd that serves it."""
    with Twistd("desk.Desk", cwd=folder) as twistd:
        yield twistd


@pytest.fixture(scope="module")
def prompt(server: Twistd, folder: Path) -> Iterator[Prompt]:
    """One prompt for the tests that leave it as it was."""
    with Prompt(server.endpoint, folder) as made:
        yield made


def test_the_greeting_tells_what_is_there(prompt: Prompt) -> None:
    """Where it is connected, and the names in scope."""
    assert "In scope: conn, root. await works here." in prompt.greeting


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("await root.add(1)", "3\n"),
        ("await root.room.name", "'kitchen'\n"),
        ("conn.closed", "False\n"),
        ("import asyncio", ""),
        ("await asyncio.sleep(0, 'slept')", "'slept'\n"),
        ("await asyncio.gather(root.add(1), root.add(2, 3))", "[3, 5]\n"),
        ("from twisted.internet.defer import gatherResults", ""),
        ("await gatherResults([root.add(n) for n in range(3)])", "[2, 3, 4]\n"),
        ("for n in (1, 2):\n    print(await root.add(n))", "3\n4\n"),
        (
            "async with asyncio.TaskGroup() as group:\n"
            "    one = group.create_task(asyncio.wait_for(root.add(5), 10))",
            "",
        ),
        ("one.result()", "7\n"),
        ("x = await root.room", ""),
        ("await x.players()", "('ann', 'bob')\n"),
        ("from txremote import connect, aio", ""),
        ("other = await connect(f'127.0.0.1:{conn.transport.getPeer().port}')", ""),
        ("await other.root.add(2)", "4\n"),
        ("how = await other.close()", ""),
        (
            "async with aio.connect(f'127.0.0.1:{conn.transport.getPeer().port}') as third:\n"
            "    await third.root.add(3)",
            "5\n",
        ),
    ],
)
def test_what_is_typed_is_awaited(typed: str, printed: str, prompt: Prompt) -> None:
    """Calls, and things of asyncio's and of Twisted's, line after line."""
    assert prompt.say(typed) == printed


def test_a_traceback_begins_where_the_user_typed(prompt: Prompt) -> None:
    """Nothing of the prompt's own is in it; the server's part is."""
    lines = prompt.say("await root.fail()").splitlines()
    assert lines[:2] == [
        "Traceback (most recent call last):",
        '  File "<console>", line 1, in <module>',
    ]
    assert "ValueError: no such luck" in lines
    assert "========= Remote Traceback (1) =========" in lines
    assert prompt.say("1 / 0").splitlines() == [*lines[:2], "ZeroDivisionError: division by zero"]


def test_ctrl_c_cancels_the_call_at_the_server(prompt: Prompt) -> None:
    """And the prompt comes back."""
    before = prompt.say("(await root.counts())[0]")
    prompt.type("await root.never(print)")
    prompt.wait_for("begun\r\n$")
    assert prompt.interrupted() == "\r\nKeyboardInterrupt\r\n>>> "
    assert int(prompt.say("(await root.counts())[0]")) == int(before) + 1


def test_ctrl_c_ends_a_statement_that_awaits_nothing(prompt: Prompt) -> None:
    """And the next one runs."""
    prompt.type("if not print('running'): exec('while True: pass')")
    prompt.wait_for(r"\.\.\. $")
    prompt.type("")
    prompt.wait_for("running")
    prompt.interrupted()
    assert prompt.say("1 + 1") == "2\n"


PRESSED_AS_IT_BEGINS = """
import signal
from txremote.await_shell import LoopThread

def forever():
    while True: pass

thread = LoopThread()
begin = thread._loop.call_soon_threadsafe

def pressed(callback):
    thread._loop.call_soon_threadsafe = begin
    begin(callback)
    signal.raise_signal(signal.SIGINT)

thread._loop.call_soon_threadsafe = pressed
statement = compile("forever()", "<console>", "exec")
try:
    thread.call(lambda: exec(statement))
except KeyboardInterrupt:
    print(thread.call(lambda: "and the next one runs"))
thread.stop()
"""


def test_ctrl_c_that_is_pressed_as_a_statement_begins_ends_it() -> None:
    """It was left running, and the prompt ran no other."""
    words = [sys.executable, "-c", PRESSED_AS_IT_BEGINS]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "and the next one runs\n", "")


def test_the_loop_runs_while_the_prompt_waits(prompt: Prompt) -> None:
    """An event is shown though nothing is typed."""
    prompt.say("await root.ring(0.05, print)")
    prompt.wait_for(r"ding\r\n")
    prompt.say("")


@pytest.mark.parametrize(
    ("typed", "rest", "printed"),
    [
        ("await root.room.pl\t", "()", "('ann', 'bob')\n"),
        ("await root.ad\t", "(1)", "3\n"),
        ("await root.add(1, sec\t", "9)", "10\n"),
    ],
)
def test_tab_knows_the_server_s_names(typed: str, rest: str, printed: str, prompt: Prompt) -> None:
    """Those of objects, and of a method's arguments."""
    prompt._send(typed)
    assert prompt.say(rest) == printed


def test_leaving_closes_the_connection(server: Twistd, folder: Path, prompt: Prompt) -> None:
    """By Ctrl-D, and by exit(); a task that still runs does not keep it."""
    before = int(prompt.say("(await root.counts())[1]"))
    for leave in ("press", "exit()"):
        with Prompt(server.endpoint, folder) as user:
            user.say("import asyncio")
            user.say("waiting = asyncio.create_task(asyncio.sleep(60))")
            user.press("d") if leave == "press" else user.type(leave)
            assert user.finish() == 0
            assert "Traceback" not in user.text and "never retrieved" not in user.text
    assert int(prompt.say("(await root.counts())[1]")) == before + 2


def test_a_server_that_goes_away_is_told(folder: Path) -> None:
    """At once; and the prompt stays."""
    with Twistd("desk.Desk", cwd=folder) as server, Prompt(server.endpoint, folder) as user:
        server.signal(signal.SIGKILL)
        user.wait_for(r"\r\nThe connection has ended: ")
        assert "DeadReferenceError: the connection has ended" in user.say("await root.add(1)")


def test_a_classic_server_puts_its_modules_in_scope(folder: Path) -> None:
    """They are awaited as anything else is; whether there is one cannot be told without."""
    with (
        Twistd("txremote.SlaveService", "--classic", cwd=folder) as server,
        Prompt(server.endpoint, folder) as user,
    ):
        assert "In scope: conn, root, modules, builtins. " in user.greeting
        assert user.say("await modules.os.getcwd()") == f"{str(folder)!r}\n"
        assert user.say("await modules['os.path'].basename('/a/b')") == "'b'\n"
        assert user.say("await builtins.len((1, 2))") == "2\n"
        assert "TypeError" in user.say("'os' in modules")


def test_it_reads_from_a_pipe(server: Twistd, folder: Path) -> None:
    """Without a terminal, a line editor or a history."""
    ran = subprocess.run(
        [sys.executable, "-m", "txremote", "shell", "--await", server.endpoint],
        input="await root.add(1)\nawait root.fail()\nawait root.add(2)\n",
        capture_output=True,
        text=True,
        timeout=30,
        cwd=folder,
        check=False,
        env={"HOME": str(folder), "PYTHONPATH": str(ROOT)},
    )
    assert re.findall(r"\d+", ran.stdout) == ["3", "4"]
    assert "ValueError: no such luck" in ran.stderr
    assert ran.returncode == 0


class TypedAlong(Reader):  # type: ignore[misc]
    """Follows a document with its lines of code typed into a prompt at its server."""

    def __init__(self, path: Path, folder: Path, closing: ExitStack) -> None:
        super().__init__(path, folder)
        self._closing = closing
        self._prompt: Prompt | None = None

    def _serve(self, command: str) -> None:
        super()._serve(command)
        if self._prompt is None:
            port = next(iter(self._ports.values()))
            self._prompt = self._closing.enter_context(Prompt(f"127.0.0.1:{port}", self._folder))
        else:  # its server has been stopped
            self._prompt.wait_for(r"The connection has ended: .*\n")

    async def _run_example(self, example: Any) -> None:
        self.ran += 1
        assert self._prompt is not None
        printed = self._prompt.say(self._real(example.source))
        compare(example.source, example.want, self._documented(printed))


@pytest_twisted.ensureDeferred
async def test_the_tutorial_is_typed_along_as_it_is_printed(tmp_path: Path) -> None:
    """Each line of code, and what it prints."""
    with ExitStack() as closing:
        reader = TypedAlong(ROOT / "docs" / "tutorial.rst", tmp_path, closing)
        await reader.follow()
    assert reader.ran > 60


def test_a_reactor_that_was_stopped_ends_the_prompt(server: Twistd, folder: Path) -> None:
    """Nothing that is typed afterwards waits for it."""
    ended = subprocess.run(
        [sys.executable, "-m", "txremote", "shell", "--await", server.endpoint],
        input="from twisted.internet import reactor\nreactor.stop()\nawait root.counts()\n",
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (
        1,
        "the event loop was stopped: nothing can be called",
    )
