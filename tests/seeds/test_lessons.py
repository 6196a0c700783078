"""
RPyC's tutorial, its how-tos and its demos: every statement, at both ends.

Each library types them (``lessons.py``) at servers of each (``lessons_server.py``,
``twistd``). RPyC at RPyC is the control: what txremote is held
to is what RPyC gives. What txremote refuses stands in the same checks, with its sentence.
"""

from __future__ import annotations

import re
import sys
from collections import ChainMap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from tests.interop.peer_processes import TWISTD, Program, outcomes
from tests.seeds.lessons import check as checks

LIBRARIES = ["rpyc", "txremote"]

#: What twistd hosts, as it was written for RPyC, with which options.
HOSTED = {
    "Answers": [],
    "Callbacks": ["--allow-public-attrs"],
    "Chat": [],
    "FileMonitors": [],
}

#: The checks of each kind of server.
STAGES: dict[str, list[str]] = {
    "rpyc": list(checks),
    "txremote": list(checks),
    "twistd": [
        "part 3 a service",
        "part 3 coming and going",
        "part 3 the client s service",
        "part 4 callbacks",
        "part 4 context managers",
        "demo chat",
        "demo filemon",
    ],
}


class Lesson(NamedTuple):
    """A check, of a library at a server."""

    server: str
    client: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} - {self.client} at {self.server}"


ALL = [
    Lesson(server, client, name)
    for server, names in STAGES.items()
    for client in LIBRARIES
    for name in names
]


def _ports(running: ExitStack) -> tuple[dict[str, dict[str, int]], list[Program]]:
    """Start all servers; return the ports of each kind by name, and what twistd runs."""

    def start(*words: str) -> Program:
        program = Program([*words])
        running.callback(program.kill)
        return program

    def host(*options: str) -> Program:
        words = ["-n", "--pidfile=", "txremote", "--listen=tcp:0:interface=127.0.0.1"]
        return start(*TWISTD, *words, *options)

    def port_of(program: Program) -> int:
        return int(program.wait_for(r"txremote serves on \S+:(\d+) ")[0][1])

    scripts = {
        library: start(sys.executable, "-m", "tests.seeds.lessons_server", library)
        for library in LIBRARIES
    }
    classic = host("--classic")
    hosted = {
        name: host(f"--service=tests.seeds.lessons_server.{name}", *options)
        for name, options in HOSTED.items()
    }
    found: dict[str, dict[str, int]] = {}
    for library, script in scripts.items():
        script.wait_for("^all serve")
        said = re.findall(r"^(\w+) (\d+)$", script.output, re.MULTILINE)
        found[library] = {name: int(port) for name, port in said}
    found["twistd"] = {name: port_of(program) for name, program in hosted.items()}
    found["txremote"]["classic"] = port_of(classic)
    return found, [classic, *hosted.values()]


class Played(NamedTuple):
    """What each lesson gave, and what twistd logged."""

    trouble: dict[Lesson, str]
    logs: list[str]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """
    All lessons, each library in a process of its own for each kind of server.

    At one server they run one after the other: what a classic server prints to is its
    whole process's, and a chat is everybody's.
    """
    folder = tmp_path_factory.mktemp("lessons")

    def play(server: str) -> dict[Lesson, str]:
        trouble = {}
        names = STAGES[server]
        words = [f"{name}={port}" for name, port in ports[server].items()] + names
        for client in LIBRARIES:
            place = folder / f"{client} at {server}"
            place.mkdir()
            typing = [sys.executable, "-m", "tests.seeds.lessons", client, str(place), *words]
            program = Program(typing)
            running.callback(program.kill)
            program.wait_for("^done", timeout=100)
            said = outcomes(program.output)
            trouble |= {Lesson(server, client, n): said.get(n, program.output) for n in names}
        return trouble

    with ExitStack() as running:
        ports, hosted = _ports(running)
        with ThreadPoolExecutor(len(STAGES)) as threads:
            trouble = dict(ChainMap(*threads.map(play, STAGES)))
        yield Played(trouble, [program.output for program in hosted])


@pytest.mark.parametrize("lesson", ALL, ids=str)
def test_lesson(played: Played, lesson: Lesson) -> None:
    """Every statement gives what it gives with RPyC at both ends."""
    assert played.trouble[lesson] == ""


def test_twistd_has_nothing_to_complain_about(played: Played) -> None:
    """No client of either library left a warning or an unhandled error behind."""
    assert len(played.logs) == 1 + len(HOSTED)
    for log in played.logs:
        log = log.replace("[txremote.call#warn] ", "")  # lessons have methods that fail
        assert "#warn]" not in log and "#error]" not in log and "#critical]" not in log, log
