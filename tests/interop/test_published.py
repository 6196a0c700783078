"""
Published packages that use rpyc, in each role: hosted by twistd with their own clients, their
clients with the import changed and their own servers, and both ends ours. RPyC alone is the
control.

What is not installed is skipped: ``python -m tests.interop.published.packages``.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests.interop.peer_processes import ROOT, TWISTD, Program
from tests.interop.published.packages import PACKAGES, STANDINS, Package

LISTEN = "--listen=tcp:0:interface=127.0.0.1"
PORT = r"serves on (?:\S+:)?(\d+)(?: |$)"

#: The server, and the library of the clients that it gets.
ROLES = [
    ("its own server", "rpyc"),
    ("its own server", "txremote"),
    ("twistd", "rpyc"),
    ("twistd", "txremote"),
    ("its own server, changed", "txremote"),
]
CASES = [
    pytest.param(package, *role, id=f"{package.name}, {role[0]}, {role[1]}")
    for package in PACKAGES
    for role in ROLES
    if package.changed or not role[0].endswith("changed")
]


def environment(package: Package) -> dict[str, str]:
    """Return the variables with which the package is found, and what stands in for others."""
    places = [ROOT, package.folder, STANDINS]
    beside = Path(sys.executable).parent
    return {
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "PATH": os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)]),
    }


def start(package: Package, server: str, where: Path) -> Program:
    """Start one of a package's servers."""
    if server == "twistd":
        words = [*TWISTD, "-n", "--pidfile=", "txremote", LISTEN, *package.hosted]
    else:
        library = "txremote" if server.endswith("changed") else "rpyc"
        words = play(library, package, "serve")
    return Program(words, env=environment(package), cwd=where)


def play(library: str, package: Package, *words: str) -> list[str]:
    """Return the command of one side."""
    module = "tests.interop.published.play"
    return [sys.executable, "-m", module, library, package.driver, *words]


def outcomes_of(package: Package, server: str, where: Path) -> dict[str, str]:
    """
    Start a server, and let its clients use it one after the other.

    Returns:
        For each library what went wrong: nothing, if the client came to its end.
    """
    libraries = [theirs for ours, theirs in ROLES if ours == server]
    program = start(package, server, where)
    try:
        port = program.wait_for(PORT)[0][1]
        return {library: client(package, library, port, where) for library in libraries}
    except AssertionError as problem:
        return dict.fromkeys(libraries, f"{problem}\n-- the server:\n{program.output}")
    finally:
        program.kill()


def client(package: Package, library: str, port: str, where: Path) -> str:
    """
    Run a client to its end.

    Raises:
        AssertionError: it did not come to its end, or failed there.
    """
    words = play(library, package, "use", port)
    program = Program(words, env=environment(package), cwd=where)
    try:
        program.wait_for("^done$", timeout=60)
        return "" if program.wait() == 0 else program.output
    finally:
        program.kill()


@cache
def outcomes(package: Package, where: Path) -> dict[tuple[str, str], str]:
    """Run a package in all its roles, its servers beside each other."""
    servers = {server for server, _library in ROLES}
    if not package.changed:
        servers = {server for server in servers if not server.endswith("changed")}
    with ThreadPoolExecutor(len(servers)) as pool:
        running = {server: pool.submit(outcomes_of, package, server, where) for server in servers}
    return {
        (server, library): problem
        for server, each in running.items()
        for library, problem in each.result().items()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where they all run, and leave what they leave."""
    return tmp_path_factory.mktemp("published")


@pytest.mark.parametrize(("package", "server", "library"), CASES)
def test_a_published_package_runs(package, server, library, folder) -> None:
    """Its own code on both sides, to the end."""
    if not package.folder.exists():
        pytest.skip(f"{package.version} is not installed")
    problem = outcomes(package, folder)[server, library]
    assert not problem, problem


def test_the_page_has_a_row_for_each() -> None:
    """With the version that is run."""
    page = (ROOT / "docs" / "coming_from_rpyc.rst").read_text("utf-8")
    for package in PACKAGES:
        name, _, version = package.version.partition("==")
        assert f"* - ``{name}`` {version}\n" in page
