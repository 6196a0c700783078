"""
Where an admin site may listen, and what is wrong with one.
"""

from __future__ import annotations

import os
import socket
import ssl
import stat
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import rpyc
from twisted.internet import reactor

from tests.net.certificates import Authority
from tests.processes import Program, run, script
from txremote.daemon.configfile import plan_of
from txremote.daemon.problems import PlanError
from txremote.daemon.resolve import resolve

SERVER = '[[server]]\nservice = "tests.services.Depot"\nlisten = "tcp:0:interface=127.0.0.1"\n'


def admin_of(text: str) -> Any:
    """Return the admin site of a file."""
    return resolve(plan_of(f"{text}\n{SERVER}", "x.toml"), reactor).admin


def problem(text: str) -> str:
    """Return what is wrong with a file."""
    with pytest.raises(PlanError) as caught:
        admin_of(text)
    [found] = caught.value.problems
    return found


@pytest.mark.parametrize(
    ("endpoint", "token"),
    [
        ("tcp:9180:interface=127.0.0.1", True),
        (r"tcp6:9180:interface=\\:\\:1", True),
        ("tcp:port=9180:interface=localhost", True),
        ("unix:admin.sock", False),
        ("unix:admin.sock:mode=600", False),
    ],
)
def test_where_strangers_cannot_connect(endpoint: str, token: bool) -> None:
    """On a socket of this account's own no token is needed."""
    admin = admin_of(f'admin = "{endpoint}"')
    assert admin.endpoint is not None
    assert (admin.token is not None, admin.secure) == (token, False)


@pytest.mark.parametrize(
    "endpoint",
    [
        *("tcp:9180", "tcp:9180:interface=0.0.0.0", "ssl:9180:privateKey=x"),
        *("ssl:9180:privateKey=x:interface=127.0.0.1", "unix:a.sock:mode=660", "unix:a:666"),
    ],
)
def test_where_strangers_can_connect(endpoint: str) -> None:
    """It is refused before anything is read or taken, and told what would do."""
    said = problem(f'admin = "{endpoint}"')
    assert said.startswith(f"x.toml: admin {endpoint}: the admin site shows who does what")
    assert "(tls:PORT:cert=FILE:ca=FILE)" in said


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "txremote.monitor.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    said = problem('admin = "tcp:9180:interface=127.0.0.1"')
    assert said.startswith(
        "x.toml: admin: metrics need prometheus_client: pip install 'txremote[admin]' ("
    )


def test_tls_with_client_certificates(tmp_path: Path) -> None:
    """For other machines; the token is asked for as well."""
    authority = Authority(tmp_path)
    files = f"cert={authority.issue('server')}:ca={authority.path}"
    admin = admin_of(f'admin = "tls:9180:{files}"')
    assert (admin.token is not None, admin.secure) == (True, True)
    for wrong in (f"tls:{files}", f"tls:9180:{files}:color=red", "tls:9180:cert=x"):
        assert "write it as tls:PORT:cert=FILE:ca=FILE" in problem(f'admin = "{wrong}"')
    assert "No such file" in problem('admin = "tls:9180:cert=none:ca=none"')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('admin-token = "t"', 'admin-token is of use with admin = "ENDPOINT" only'),
        ("admin-write = true", 'is of use with admin = "ENDPOINT" or operators = "USERS" only'),
        ('admin = "unix:a.sock"\nadmin-token = "t"', "a unix: socket needs none"),
        ('admin = "unix:"', "it has no path"),
        ('admin = "carrier:pigeon"', "carrier"),
        (
            'admin = "tcp:9180:interface=127.0.0.1"\nadmin-token = "/nowhere/t"',
            "cannot be made in /nowhere",
        ),
    ],
)
def test_what_does_not_fit(text: str, says: str) -> None:
    """Each in a sentence."""
    assert says in problem(text)


def test_a_port_that_a_server_has_too() -> None:
    """The second of them is the mistake."""
    text = 'admin = "tcp:18861:interface=127.0.0.1"\n'
    with pytest.raises(PlanError, match="listens there already"):
        resolve(plan_of(f"{text}{SERVER}".replace("tcp:0", "tcp:18861"), "x.toml"), reactor)


def test_it_starts_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A socket and no token, or a fresh token for each start; check tells what there will be."""
    config = tmp_path / "site.toml"
    config.write_text(f'admin = "unix:admin.sock"\nadmin-write = true\n{SERVER}')
    status, said, _errors = run(script("txremote"), "check", config)
    assert (status, "admin: unix:admin.sock\n  its users can close" in said) == (0, True)
    words = script("twistd"), "--pidfile=", "-n", "txremote"
    with Program(*words, "--config", config, cwd=tmp_path) as server:
        server.wait_for(r"the admin site is on unix:admin\.sock")
        path = tmp_path / "admin.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            assert client.get("http://admin/api/overview.json").json()["state"] == "serving"
        server.signal(15)
        server.finish()
        assert not path.exists()
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)}
    address = "tcp:0:interface=127.0.0.1"
    words = (*words, "--service", "tests.services.Depot", "--listen", address, "--admin", address)
    words = (*words, "--log-level", "error")  # nothing but the log names the token's file
    with Program(*words, env=environment) as server:
        found = server.wait_for(r"the admin site is on (http://127\S+/), its token in (\S+)")
        assert httpx.get(f"{found[1]}readyz").text == "ok\n"
        token = Path(found[2])
        assert token.parent.parent == tmp_path
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert token.read_text().strip() not in server.output
        server.signal(15)
        server.finish()
        assert not token.parent.exists()


def test_clients_with_a_certificate_watch_it_drain(tmp_path: Path) -> None:
    """It answers until the last call has ended, and is not ready meanwhile; metrics are there."""
    authority, token = Authority(tmp_path), tmp_path / "token"
    files = f"cert={authority.issue('server')}:ca={authority.path}"
    admin = f'admin = "tls:0:{files}:interface=127.0.0.1"\nadmin-token = "{token}"\ndrain = 20'
    (tmp_path / "site.toml").write_text(f"{admin}\n{SERVER}")
    words = script("twistd"), "--pidfile=", "-n", "txremote", "--config", tmp_path / "site.toml"
    with Program(*words) as server:
        url = server.wait_for(r"the admin site is on (https://127\S+/), its token in")[1]
        port = server.wait_for(r"serves on 127\.0\.0\.1:(\d+) ")[1]
        context = ssl.create_default_context(cafile=authority.path)
        with httpx.Client(verify=context) as stranger, pytest.raises(httpx.TransportError):
            stranger.get(f"{url}healthz")
        context.load_cert_chain(authority.issue("ann"))
        with httpx.Client(verify=context) as client:
            assert client.get(f"{url}api/overview.json").status_code == 401
            client.headers["Authorization"] = f"Bearer {token.read_text().strip()}"
            assert "txremote_" in client.get(f"{url}metrics").text
            assert client.get(f"{url}readyz").text == "ok\n"
            conn = rpyc.connect("127.0.0.1", int(port))
            call = rpyc.async_(conn.root.never)()
            running = f"{url}api/overview.json"
            while client.get(running).json()["calls_running"] == 0:
                time.sleep(0.01)
            server.signal(15)
            server.wait_for("is stopping, and waits for 1 call")
            ready = client.get(f"{url}readyz")
            assert (ready.status_code, ready.text[:7]) == (503, "not ok\n")
            assert client.get(f"{url}healthz").status_code == 200
            assert client.get(running).json()["state"] == "draining"
            conn.close()
            assert not call.ready
        server.finish()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The start ends with a sentence, and the servers' sockets are gone."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        words = script("twistd"), "--pidfile=", "-n", "txremote"
        words += ("--service", "tests.services.Depot", "--listen", f"unix:{tmp_path}/s")
        status, said, errors = run(*words, "--admin", address)
    assert status == 1
    assert f"txremote: --admin: cannot listen on {address}: Address already in use" in said + errors
    assert list(tmp_path.iterdir()) == []
