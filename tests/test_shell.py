"""
``txremote shell``: a prompt with a connection in it, run as a user runs it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Twistd
from txremote.shell import Completer

SERVICE = """\
from txremote import Service, exposed


class Greeter(Service):
    exposed_motto = "hello"

    @exposed
    def greet(self, name):
        return "hello " + name

    @exposed
    def fail(self):
        raise ValueError("no such luck")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service in it."""
    path = tmp_path_factory.mktemp("shell")
    (path / "greeting.py").write_text(SERVICE)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Any]:
    """A twistd that serves it."""
    with Twistd("greeting.Greeter", cwd=folder) as twistd:
        yield twistd


@pytest.fixture(scope="module")
def classic(folder: Path) -> Iterator[Any]:
    """A twistd in classic mode."""
    with Twistd("txremote.SlaveService", "--classic", cwd=folder) as twistd:
        yield twistd


def typed(lines: str, endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the shell with something typed into it."""
    return subprocess.run(
        [sys.executable, "-m", "txremote", "shell", "--plain", endpoint],
        input=lines,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=home,
        check=False,
        env={"HOME": str(home), "PATH": ""},
    )


def test_conn_and_root_are_in_scope(server: Any, folder: Path) -> None:
    """What is typed runs with blocking netrefs, and the result is shown."""
    ran = typed(
        "root.greet('ann')\nroot.motto\nconn.closed\n", f"tcp:127.0.0.1:{server.port}", folder
    )
    assert "'hello ann'" in ran.stdout
    assert "'hello'" in ran.stdout
    assert "False" in ran.stdout
    assert "In scope: conn, root." in ran.stderr
    assert ran.returncode == 0


def test_an_error_is_shown_and_the_prompt_goes_on(server: Any, folder: Path) -> None:
    """A remote exception has its remote traceback, and costs no more than its line."""
    ran = typed("root.fail()\nroot.greet('bob')\n", f"127.0.0.1:{server.port}", folder)
    assert "ValueError: no such luck" in ran.stderr
    assert "Remote Traceback" in ran.stderr
    assert "'hello bob'" in ran.stdout


def test_what_the_server_calls_is_served_at_the_prompt(classic: Any, folder: Path) -> None:
    """A callback runs while the user thinks, without a call to wait for."""
    lines = (
        "import threading\n"
        "heard = threading.Event()\n"
        "_ = modules.threading.Timer(0.05, heard.set).start()\n"
        "heard.wait(10)\n"
    )
    assert "True" in typed(lines, f"127.0.0.1:{classic.port}", folder).stdout


def test_a_classic_server_puts_its_modules_in_scope(classic: Any, folder: Path) -> None:
    """modules and builtins are the server's."""
    ran = typed("modules.os.getcwd()\nbuiltins.len([1, 2])\n", f"127.0.0.1:{classic.port}", folder)
    assert repr(str(folder)) in ran.stdout
    assert "2" in ran.stdout
    assert "modules, builtins" in ran.stderr


@pytest.mark.parametrize("endpoint", ["tcp:127.0.0.1:1", "nonsense", "unix:/nowhere/at/all"])
def test_a_place_with_nobody_there_is_one_sentence(endpoint: str, tmp_path: Path) -> None:
    """No stack trace: what was tried and what was wrong, and exit status 2."""
    ran = typed("", endpoint, tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"txremote: cannot connect to {endpoint}: ")
    assert ran.stderr.count("\n") == 1


class Remote:
    """Stands for a netref: dir() tells its names, and reading one would cost a call."""

    def __dir__(self) -> list[str]:
        return ["add", "adopt", "motto", "_private", "__len__"]


def test_names_are_completed() -> None:
    """Names in scope, and names of remote objects; private ones only if asked for."""
    complete = Completer({"root": Remote(), "conn": 1}).matches
    assert complete("ro") == ["root", "round"]
    assert complete("root.ad") == ["root.add", "root.adopt"]
    assert complete("root.") == ["root.add", "root.adopt", "root.motto"]
    assert complete("root._") == ["root.__len__", "root._private"]
    assert complete("nobody.x") == []


def test_readline_asks_one_by_one() -> None:
    """As readline wants it: a number, until there is no more."""
    completer = Completer({"root": Remote()})
    assert [completer.complete("root.ad", n) for n in range(3)] == ["root.add", "root.adopt", None]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("take(fi", ["first="]),
        ("take(1, s", ["second=", "set", "sorted"]),
        ("take(len(x), s", ["second="]),
        ("take(len(se", ["set", "setattr"]),
        ("take(1) + so", ["sorted"]),
        ("nobody.x(so", ["sorted"]),
        ("root.take(fi", ["first="]),
    ],
)
def test_names_of_arguments_are_completed(line: str, found: list[str]) -> None:
    """Those of the call that the cursor is in, before all other names."""

    class Root:
        def take(self, first: int, *rest: int, second: int) -> None: ...

    text = line[len(line.rstrip("abcdefghijklmnopqrstuvwxyz")) :]
    names: dict[str, object] = {"root": Root(), "take": Root().take}
    matches = Completer(names, lambda: line).matches(text)
    assert set(found) <= set(matches)
    assert matches[0] == found[0]
    keywords = [name for name in matches if name.endswith("=")]
    assert keywords == [name for name in found if name.endswith("=")]
