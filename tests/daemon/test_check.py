"""
``txremote check``, as somebody uses it before a restart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.processes import run, script

GOOD = """\
pool = ["threads:2", "processes:1"]
drain = 2.5

[[server]]
service = "desk.Desk"
listen = ["tcp:TAKEN:interface=127.0.0.1", "unix:desk.sock"]
tls-cert = "CERT"
auth = "memory:ann:sesame"
allow-public-attrs = true
safe-attrs = ["__len__", "__iter__"]
max-calls = 5
idle-timeout = 0

[[server]]
classic = true

[[console]]
name = "desk"
listen = "unix:console.sock"
container = "desk.Commands"

[[server]]
tasks = "desk"
listen = "systemd:domain=INET:index=0"
"""

DESK = """\
import txremote

class Desk(txremote.Service):
    pass

class Commands:
    commands = ["hello"]
    def hello(self):
        return "hello"
"""


@pytest.fixture
def check(tmp_path: Path) -> Any:
    """Return what writes a file and checks it, in a folder with a module in it."""
    (tmp_path / "desk.py").write_text(DESK)

    def check(text: str) -> tuple[int, list[str], list[str]]:
        (tmp_path / "site.toml").write_text(text)
        status, out, err = run(script("txremote"), "check", "site.toml", cwd=tmp_path)
        assert {path.suffix for path in tmp_path.iterdir()} <= {".py", ".toml", ".pem", ""}
        return status, out.splitlines(), err.splitlines()

    return check


def test_a_good_file(check: Any, certificate: dict[str, str]) -> None:
    """Its servers are described, no password with them; nothing was started."""
    paths = f'{certificate["certificate"]}"\ntls-key = "{certificate["key"]}'
    text = GOOD.replace("CERT", paths).replace("TAKEN", "18861")
    assert check(text) == (
        0,
        [
            "server: desk.Desk",
            "  on tcp:18861:interface=127.0.0.1 with TLS",
            "  on unix:desk.sock with TLS",
            "  login: memory",
            "  allow-public-attrs: true",
            "  safe-attrs: __len__, __iter__",
            "  idle-timeout: no limit",
            "  max-calls: 5",
            "server: classic mode",
            "  on tcp:18812:interface=127.0.0.1",
            "  clients can do anything",
            "server: the tasks of 'desk'",
            "  on systemd:domain=INET:index=0",
            "console: Commands",
            "  on unix:console.sock",
            "pool: threads:2",
            "pool: processes:1",
            "drain: 2.5 s",
        ],
        [],
    )


def test_a_bad_file(check: Any) -> None:
    """All that is wrong is told: what means nothing, and what cannot be found."""
    text = '[[server]]\nlisen = "tcp:0"\n[[server]]\nservice = "desk.Dask"\nauth = "fil:x"\n'
    status, out, err = check(text)
    assert (status, out) == (1, [])
    assert err == [
        "site.toml: [[server]] 1: unknown key 'lisen': did you mean 'listen'?",
        "site.toml: [[server]] 2: service desk.Dask: 'desk' has no 'Dask': did you mean 'Desk'?",
        "site.toml: [[server]] 2: auth fil: Twisted knows no such way to log in: did you "
        "mean 'file'?",
    ]


def test_no_file(check: Any) -> None:
    """A file that is no TOML, and one that is not there, are told in a sentence."""
    assert check("[[server]\n") == (
        1,
        [],
        ["site.toml: Expected ']]' at the end of an array declaration (at line 1, column 9)"],
    )
    status, out, err = run(script("txremote"), "check", "nosuch.toml")
    assert (status, out) == (1, "")
    assert err == "cannot read nosuch.toml: No such file or directory\n"
