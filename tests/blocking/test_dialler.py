"""
Dialling by name: a script and a program with a reactor make the same of each.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

import txremote
import txremote.blocking as rpyc
from tests.net.certificates import Authority
from txremote.net.tls import tls_server
from txremote.servername import listening_description


class Who(txremote.Service):
    """Tells who is calling."""

    @txremote.exposed
    def caller(self) -> str | None:
        """The name in the client's certificate."""
        certificate = txremote.current_call().peer_certificate
        return None if certificate is None else str(certificate.get_subject().CN)


async def outcome(name: str) -> tuple[Any, Any]:
    """Connect to a server by name, with a reactor and in a script; return both outcomes."""

    def script() -> Any:
        try:
            with rpyc.connect(name) as conn:
                return conn.root.caller()
        except Exception as problem:
            return problem

    try:
        conn = await txremote.connect(name, timeout=10)
    except Exception as problem:
        return problem, await deferToThread(script)
    called = await conn.root.caller()
    await conn.close()
    return called, await deferToThread(script)


@pytest_twisted.ensureDeferred
async def test_a_tls_name_checks_the_same_in_a_script_and_in_a_reactor(tmp_path: Path) -> None:
    """Authorities from a file or a folder, the host's name, and a certificate of the client's."""
    mine, other = Authority(tmp_path), Authority(tmp_path, "other")
    ann = mine.issue("ann")
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    shutil.copy(mine.path, trusted)
    open_to_all = await txremote.listen(
        tls_server("tcp:0:interface=127.0.0.1", mine.issue("server")), Who
    )
    asking = await txremote.listen(
        tls_server("tcp:0:interface=127.0.0.1", mine.issue("asking"), ca=mine.path), Who
    )
    plain, certain = (port.getHost().port for port in (open_to_all, asking))
    good: dict[str, str | None] = {
        f"tls:127.0.0.1:{plain}:ca={mine.path}": None,
        f"tls:127.0.0.1:{plain}:trustRoots={trusted}": None,
        f"tls:127.0.0.1:{plain}:ca={mine.path}:hostname=localhost": None,
        f"tls:127.0.0.1:{certain}:ca={mine.path}:cert={ann}": "ann",
        f"tls:127.0.0.1:{certain}:ca={mine.path}:cert={ann}:key={ann}": "ann",
        f"tls:127.0.0.1:{certain}:trustRoots={trusted}:certificate={ann}:privateKey={ann}": "ann",
        f"ssl:127.0.0.1:{plain}": None,
        f"ssl:127.0.0.1:{plain}:caCertsDir={trusted}:hostname=localhost": None,
        f"ssl:127.0.0.1:{certain}:certKey={ann}:privateKey={ann}": "ann",
    }
    bad = [
        f"tls:127.0.0.1:{plain}",
        f"tls:127.0.0.1:{plain}:ca={other.path}",
        f"tls:127.0.0.1:{plain}:ca={mine.path}:hostname=example.org",
        f"tls:127.0.0.1:{certain}:ca={mine.path}",
        f"tls:127.0.0.1:{plain}:ca={tmp_path}/nothing.pem",
        f"tls:127.0.0.1:{plain}:ca={trusted / 'none'}",
        f"ssl:127.0.0.1:{plain}:caCertsDir={trusted}:hostname=example.org",
    ]
    try:
        for name, caller in good.items():
            assert await outcome(name) == (caller, caller), name
        for name in bad:
            refused = await outcome(name)
            assert all(isinstance(each, Exception) for each in refused), name
    finally:
        await open_to_all.stopListening()
        await asking.stopListening()


@pytest.mark.parametrize("listening", ["localhost:0", "[::1]:0", "/who.sock"])
@pytest_twisted.ensureDeferred
async def test_a_name_without_tls(listening: str, tmp_path: Path) -> None:
    """By a host's name, in IPv6, and a UNIX socket's."""
    if listening == "[::1]:0" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    if listening.startswith("/"):
        listening = name = f"{tmp_path}{listening}"
    port = await txremote.listen(listening_description(listening), Who)
    if not listening.startswith("/"):
        name = listening.replace(":0", f":{port.getHost().port}")
    try:
        assert await outcome(name) == (None, None)
    finally:
        await port.stopListening()


def _has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        return probe.connect_ex(("::1", 9)) != 99  # EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nonsense", "names no server"),
        ("carrier:pigeon", "names no server: "),
        ("tpc:127.0.0.1:1", r"names no server \(did you mean tcp:127.0.0.1:1\?\)"),
        ("tcp:127.0.0.1:1:bindAddress=127.0.0.1", "a script has no option bindAddress="),
        ("tls:127.0.0.1:1:ca=setup.cfg", "setup.cfg: not what TLS needs"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_name_that_a_script_cannot_follow(name: str, sentence: str) -> None:
    """It is refused before anything is dialled."""
    with pytest.raises(ValueError, match=sentence):
        await deferToThread(rpyc.connect, name)
