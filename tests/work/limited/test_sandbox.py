"""The sandbox of limited sources, looked at from inside by a program that we trust."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.work.child_processes import outcome_of
from txremote.errors import NoSandbox
from txremote.work.limited import sandbox
from txremote.work.limited.process import SourceProcess
from txremote.work.limited.sandbox import boxed, command, interpreter, restricted_python

LOOKS = """
import json, os, socket, sys

def tries(function, *args):
    try:
        function(*args)
    except OSError as error:
        return type(error).__name__
    return "done"

library = os.path.dirname(os.__file__)
status = {
    "top": sorted(os.listdir("/")),
    "limited": sorted(os.listdir("/limited/txremote")),
    "installed": [name for name in os.listdir(library + "/site-packages")]
    if os.path.isdir(library + "/site-packages") else [],
    "environment": sorted(set(os.environ) - {"PWD", "LC_CTYPE"}),
    "ids": [os.getuid(), os.getgid()],
    "write": [tries(open, place + "/x", "w") for place in ("/", "/limited", library)],
    "network": tries(socket.create_connection, ("127.0.0.1", int(sys.argv[1])), 5),
    "kill": tries(os.kill, int(sys.argv[2]), 0),
}
print(json.dumps(status), flush=True)
"""


async def printed_by(made: sandbox.Command) -> str:
    """Run a command as a source's process; return what it sends."""
    data: list[bytes] = []
    gone: Deferred[Failure] = Deferred()
    process = SourceProcess(reactor, data.append, gone.callback)  # type: ignore[arg-type]
    process.start(made)
    await outcome_of(gone)
    assert data, process.last_words()
    return b"".join(data).decode()


@pytest_twisted.ensureDeferred
async def test_there_is_nothing_in_it(boxes: None) -> None:
    """Python, this folder and the codec; no file to write, no network, no other process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        inner = (interpreter(), "-I", "-S", "-c", LOOKS, port, str(os.getpid()))
        found: dict[str, Any] = json.loads(await printed_by(boxed(inner, restricted_python())))
    assert not {"etc", "home", "proc", "dev", "tmp", "var", "work"} & set(found["top"])
    assert found["limited"] == ["wire", "work"]
    assert found["installed"] == found["environment"] == []
    assert found["ids"] == [65534, 65534]
    assert found["write"] == ["OSError"] * 3  # a file system that is only read
    assert found["network"] == "ConnectionRefusedError"  # nobody listens in there
    assert found["kill"] == "ProcessLookupError"


def test_without_it_the_same_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter that the environment was made of, isolated, with the limits."""
    made = command("none", 100, 7)
    assert (made.executable, made.is_boxed) == (interpreter(), False)
    assert made.arguments[1:4] == ("-I", "-S", "-B")
    assert made.arguments[-2:] == ("100", "7")
    assert Path(interpreter()).resolve() == Path(interpreter())
    monkeypatch.delattr(sys, "_base_executable")
    assert Path(interpreter()).name.startswith("python")


def test_where_there_is_no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the package, the other way, and the page."""
    monkeypatch.setattr(sandbox.shutil, "which", lambda *_args, **_kwargs: None)
    with pytest.raises(NoSandbox, match=r"install bubblewrap.*sandbox=\"none\".*limited.rst"):
        command("required", 100, 7)
