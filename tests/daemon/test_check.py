"""
``txremote check``, as somebody uses it before a restart.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.net.certificates import DAY, Authority
from tests.processes import run, script

TABLES = ["[[server]] 1", "[[server]] 2", "[[console]] 1"]

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

    def check(text: str, *words: str) -> tuple[int, list[str], list[str]]:
        (tmp_path / "site.toml").write_text(text)
        status, out, err = run(script("txremote"), "check", "site.toml", *words, cwd=tmp_path)
        assert {path.suffix for path in tmp_path.iterdir()} <= {".py", ".toml", ".pem", ""}
        return status, out.splitlines(), err.splitlines()

    return check


def test_a_good_file(check: Any, certificate: dict[str, str]) -> None:
    """Its servers are described, no password with them; nothing was started."""
    paths = f'{certificate["certificate"]}"\ntls-key = "{certificate["key"]}'
    text = GOOD.replace("CERT", paths).replace("TAKEN", "18861")
    status, out, err = check(text, "--no-ports")
    # the certificate of these tests does not last for long
    assert (status, [line for line in out if "warning: " not in line], err) == (
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


ALL_WRONG = """\
pool = "thread:2"

[[server]]
listen = ["tcp:TAKEN:interface=127.0.0.1", "unix:nosuch/x.sock"]
service = "desk.Desk"
tls-key = "OTHER"
tls-cert = "CERT"

[[server]]
service = "nosuch.Desk"
auth = ["file:FOLDER", "file:FOLDER/users"]
listen = "tcp:401x:interface=127.0.0.1"

[[console]]
listen = "unix:c.sock"
container = "desk.Commands"
tls-cert = "FOLDER"
"""


def test_everything_that_is_wrong_is_told_in_one_run_in_the_order_of_the_file(
    check: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Modules, ports, sockets, users and certificates; paths that are folders, too."""
    folder = tmp_path_factory.mktemp("pem")
    authority = Authority(folder)
    files = {"CERT": authority.issue("server"), "OTHER": authority.issue("other")}
    (folder / "users").write_text("ann sesame\n")
    text = ALL_WRONG.replace("FOLDER", str(folder))
    for word, path in files.items():
        text = text.replace(word, path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = check(text.replace("TAKEN", str(port)))
    assert (status, out) == (1, [])
    first, second, third = (f"site.toml: {each}: " for each in TABLES)
    assert [line.replace(str(folder), "FOLDER") for line in err] == [
        "site.toml: pool thread:2: 'thread' in 'thread:2' is no kind of pool: there are dask, "
        "processes, threads",
        f"{first}listen: cannot listen on tcp:{port}:interface=127.0.0.1: Address already in use. "
        "Choose another port, or stop what uses it",
        f"{first}listen: cannot listen on unix:nosuch/x.sock: there is no folder {tmp_path}/nosuch",
        f"{first}tls-key: FOLDER/other.pem is not the key of FOLDER/server.pem",
        f"{second}service nosuch.Desk: no module 'nosuch', installed or in the working "
        "directory: a service is named package.module.Class",
        f"{second}auth file: FOLDER is a folder",
        f"{second}auth file: FOLDER/users has no line NAME:PASSWORD",
        f"{second}listen tcp:401x:interface=127.0.0.1: '401x' is no number (write it as "
        "tcp:PORT:interface=ADDRESS, unix:PATH or ssl:PORT:privateKey=FILE)",
        f"{third}tls-cert FOLDER: Is a directory",
    ]


def test_what_an_operator_should_know_is_told(
    check: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of certificates by file, and of what others can reach; it is no error."""
    authority = Authority(tmp_path_factory.mktemp("pem"))
    late, soon = authority.issue("late", -DAY), authority.issue("soon", 20 * DAY)
    text = "".join(
        f'[[server]]\nservice = "desk.Desk"\nlisten = "{listen}"\n{more}\n'
        for listen, more in [
            ("unix:a.sock", f'tls-cert = "{late}"'),
            ("unix:b.sock", f'tls-cert = "{soon}"\ntls-ca = "{authority.path}"'),
            ("tcp:0", ""),
            ("tcp:0:interface=127.0.0.1", ""),
        ]
    )
    status, out, err = check(text)
    assert (status, err) == (0, [])
    told = [line.strip().removeprefix("warning: ") for line in out if "warning" in line]
    on = r"on 20\d\d-\d\d-\d\d"
    wanted = [
        f"{late}: the certificate of CN=late expired {on}",
        f"{soon}: the certificate of CN=soon expires in 19 days, {on}",
        f"{authority.path}: the certificate of CN=authority expires today, {on}",
        "other machines can reach tcp:0, and call what is exposed: auth wants a login of them, "
        "tls-cert and tls-ca a certificate, and interface=127.0.0.1 keeps them out",
    ]
    for line, pattern in zip(told, wanted, strict=True):
        assert re.fullmatch(pattern, line), line


def test_a_reader_that_has_seen_enough_is_no_error(check: Any, tmp_path: Path) -> None:
    """As ``head`` may be; the shell says how each command of a pipe has ended."""
    assert check('[[server]]\nservice = "desk.Desk"\nlisten = "unix:x"\n')[0] == 0
    words = f"{script('txremote')} check site.toml | true; echo ${{PIPESTATUS[0]}}"
    assert run("bash", "-c", words, cwd=tmp_path) == (0, "0\n", "")


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
