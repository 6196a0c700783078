"""
RPyC's tutorial, part 5, and its page on asynchronous operation: the code runs.

The sessions are typed by processes of their own (``prompt.py``), with txremote's
blocking facet or with a real RPyC as the library, at servers of either kind. What the
library, the port, the file and the seconds are is all that differs from what is
written (``transcripts.adapted``). RPyC at RPyC is the control: what txremote is held
to is what RPyC really prints.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.interop.peer_processes import TWISTD, Program, outcomes
from tests.processes import free_port, run
from tests.seeds import transcripts
from tests.seeds.transcripts import adapted

CLASSIC = [sys.executable, "-c", "from rpyc.cli.rpyc_classic import main; main()", "-p", "0"]

LIBRARIES = ["txremote", "rpyc 6.0.2", "rpyc 5.3.1"]

# What runs where: (session, its transcripts, {server: the libraries of its clients}).
STOCK_6, STOCK_5 = LIBRARIES[1:]
SESSIONS = [
    (
        "asynchronous results",
        ["NEWER_ASYNC", "NEWER_ERROR"],
        {
            "twistd --classic": LIBRARIES,
            "rpyc_classic 6.0.2": ["txremote", STOCK_6],
            "rpyc_classic 5.3.1": ["txremote", STOCK_5],
        },
    ),
    (
        "the older names",
        ["OLDER_ASYNC"],
        {"twistd --classic": ["txremote", STOCK_6], "rpyc_classic 6.0.2": ["txremote"]},
    ),
    (
        "the page on asynchronous operation",
        ["PAGE"],
        {"twistd --classic": [STOCK_6, STOCK_5], "rpyc_classic 6.0.2": [STOCK_6]},
    ),
    (
        "the page on asynchronous operation, and more",
        ["PAGE", "BETTER"],
        {
            "twistd --classic": ["txremote"],
            "rpyc_classic 6.0.2": ["txremote"],
            "rpyc_classic 5.3.1": ["txremote"],
        },
    ),
    (
        "events",
        ["NEWER_EVENTS", "REOPENED", "NEWER_POLLED"],
        {
            "ThreadedServer of txremote": LIBRARIES,
            "twistd --threaded": LIBRARIES,
            "twistd, the service as RPyC has it": ["txremote", STOCK_6],
            "ThreadedServer of rpyc 6.0.2": ["txremote", STOCK_6],
            "ThreadedServer of rpyc 5.3.1": ["txremote", STOCK_5],
        },
    ),
    (
        "events of the older copy",
        ["OLDER_EVENTS", "OLDER_WAITED"],
        {
            "ThreadedServer of txremote, older copy": ["txremote"],
            "twistd --classic, older copy": ["txremote", STOCK_6],
        },
    ),
]


class Session(NamedTuple):
    """A session to be typed."""

    name: str
    parts: tuple[str, ...]
    server: str
    library: str

    def __str__(self) -> str:
        return f"{self.name} - {self.library} - {self.server}"


ALL = [
    Session(name, tuple(parts), server, library)
    for name, parts, servers in SESSIONS
    for server, libraries in servers.items()
    for library in libraries
]


def wait_for_port(port: int, program: Program) -> None:
    """Wait until somebody listens on a port."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise AssertionError(program.output) from None
            time.sleep(0.01)


class Servers:
    """
    All servers that the sessions need, at once.

    Args:
        folder: Where the tutorial's server is written, as a user would.
        rpyc5: RPyC 5.3.1.

    Attributes:
        ports: Where each listens.
        hosted: Those that twistd runs.
    """

    def __init__(self, folder: Path, rpyc5: Path) -> None:
        self.ports: dict[str, int] = {}
        self.hosted: list[Program] = []
        self._folder = folder
        self._all = ExitStack()
        self._talking: list[tuple[str, Program, str]] = []
        self._silent: dict[str, tuple[int, Program]] = {}
        old = {"PYTHONPATH": str(rpyc5)}
        newer, older = transcripts.NEWER_SERVER, transcripts.OLDER_SERVER
        try:
            self._script("ThreadedServer of txremote", "monitor", newer)
            self._script("ThreadedServer of rpyc 6.0.2", "stock", newer, "rpyc")
            self._script("ThreadedServer of rpyc 5.3.1", "stock_5", newer, "rpyc", old)
            self._script("ThreadedServer of txremote, older copy", "older", older)
            self._classic("rpyc_classic 6.0.2")
            self._classic("rpyc_classic 5.3.1", old)
            self._host("twistd --classic", "--classic")
            self._host("twistd --threaded", "--threaded", "--service=monitor.FileMonitorService")
            self._host("twistd, the service as RPyC has it", "--service=stock.FileMonitorService")
            self._host(
                "twistd --classic, older copy", "--classic", "--service=older.FileMonitorService"
            )
            for name, program, says in self._talking:
                self.ports[name] = int(program.wait_for(says)[0][1])
            for name, (port, program) in self._silent.items():
                wait_for_port(port, program)
                self.ports[name] = port
        except BaseException:
            self.close()
            raise

    def _run(self, words: list[str], env: dict[str, str] | None = None) -> Program:
        program = Program(words, env=env, cwd=self._folder)
        self._all.callback(program.kill)
        return program

    def _script(
        self,
        name: str,
        module: str,
        text: str,
        library: str = "txremote",
        env: dict[str, str] | None = None,
    ) -> None:
        port = free_port()
        file = self._folder / f"{module}.py"
        file.write_text(adapted(text, port=port, library=library))
        self._silent[name] = port, self._run([sys.executable, str(file)], env)

    def _classic(self, name: str, env: dict[str, str] | None = None) -> None:
        self._talking.append((name, self._run(CLASSIC, env), r"server started on \S+:(\d+)"))

    def _host(self, name: str, *options: str) -> None:
        words = [*TWISTD, "-n", "--pidfile=", "txremote", *options]
        program = self._run([*words, "--listen=tcp:0:interface=127.0.0.1"])
        self.hosted.append(program)
        self._talking.append((name, program, r"txremote serves on \S+:(\d+) "))

    def close(self) -> None:
        """End them all."""
        self._all.close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, rpyc5: Path) -> Any:
    """The servers, running."""
    running = Servers(tmp_path_factory.mktemp("served"), rpyc5)
    yield running
    running.close()


@pytest.fixture(scope="module")
def typed(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory, rpyc5: Path
) -> dict[Session, str]:
    """What went wrong in each session. Some processes type them, all at once."""
    folder = tmp_path_factory.mktemp("typed")

    def files(session: Session) -> list[str]:
        words = []
        number = ALL.index(session)
        for part in session.parts:
            file = folder / f"{number}-{part}.txt"
            text = adapted(
                getattr(transcripts, part),
                port=servers.ports[session.server],
                path=folder / f"{number}.bloop",
                library=session.library.split()[0],
            )
            file.write_text(text)
            words.append(str(file))
        return words

    def type_all(sessions: list[Session]) -> list[str]:
        env = dict(os.environ)
        if sessions[0].library == STOCK_5:
            env["PYTHONPATH"] = str(rpyc5)
        words = [word for session in sessions for word in ["--", *files(session)]][1:]
        status, out, err = run(
            sys.executable, "-m", "tests.seeds.prompt", *words, env=env, timeout=100
        )
        said = outcomes(out)
        trouble = "" if not err and status == 0 else f"status {status}, and on stderr:\n{err}"
        return [said.get(str(number), out) + trouble for number in range(len(sessions))]

    def process_of(session: Session) -> tuple[str, str]:
        # they mostly sleep, so they do it side by side
        if "events" in session.name:
            return session.library, "events"
        return session.library, session.server if session.library == "txremote" else "classic"

    plan = [list(sessions) for _, sessions in groupby(sorted(ALL, key=process_of), process_of)]
    with ThreadPoolExecutor(len(plan)) as threads:
        said = list(threads.map(type_all, plan))
    return dict(zip(chain(*plan), chain(*said), strict=True))


@pytest.mark.parametrize("session", ALL, ids=str)
def test_session(typed: dict[Session, str], session: Session) -> None:
    """Every line gives what RPyC's document says, and nothing is logged or warned of."""
    assert typed[session] == ""


def test_twistd_has_nothing_to_complain_about(typed: dict[Session, str], servers: Servers) -> None:
    """All those clients came and went, some without a good-bye, and no log has a warning."""
    assert len(servers.hosted) == 4
    for program in servers.hosted:
        assert "#warn]" not in program.output
        assert "#error]" not in program.output
        assert "#critical]" not in program.output
        assert "Traceback" not in program.output, program.output


def test_only_imports_ports_paths_and_seconds_are_changed() -> None:
    """The server of the newer copy differs from what RPyC's tutorial has in four lines."""
    before = transcripts.NEWER_SERVER.splitlines()
    after = adapted(transcripts.NEWER_SERVER, port=1234).splitlines()
    changed = [(a.strip(), b.strip()) for a, b in zip(before, after, strict=True) if a != b]
    assert changed == [
        ("import rpyc", "import txremote.blocking as rpyc"),
        (
            "def __init__(self, filename, callback, interval = 1):",
            "def __init__(self, filename, callback, interval = 0.05):",
        ),
        (
            "from rpyc.utils.server import ThreadedServer",
            "from txremote.blocking.utils.server import ThreadedServer",
        ),
        (
            "ThreadedServer(FileMonitorService, port = 18871).start()",
            "ThreadedServer(FileMonitorService, port = 1234).start()",
        ),
    ]
