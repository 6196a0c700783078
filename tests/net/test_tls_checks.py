"""
Why TLS fails: the client's error and the server's log say whose certificate it was, or that one
of them speaks no TLS. With a reactor, in a script, and at the server.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent

import txremote.blocking as rpyc
from tests.net.certificates import DAY, Authority
from tests.net.servers import DEADLINE, LOOPBACK, Desk, logged, until
from txremote import ConnectionLost, connect, listen
from txremote.net.tls import tls_server
from txremote.peer.tls_words import NO_TLS
from txremote.wire.framing import SPOKE_TLS


class Site:
    """Servers with all kinds of certificates, and the files of clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "other").mkdir()
        self.authority, self.other = Authority(folder), Authority(folder / "other", "other")
        self.ports: dict[str, Any] = {}

    async def serve(self) -> None:
        issue, ca = self.authority.issue, self.authority.path
        for name, endpoint in {
            "good": tls_server(LOOPBACK, issue("server")),
            "late": tls_server(LOOPBACK, issue("late", -DAY)),
            "asking": tls_server(LOOPBACK, issue("asking"), ca=ca),
            "plain": LOOPBACK,
        }.items():
            self.ports[name] = await listen(endpoint, Desk)

    def name(self, words: str) -> str:
        """Return a server's name, with files and ports put in."""
        for name, port in self.ports.items():
            words = words.replace(f"@{name}", f"localhost:{port.getHost().port}")
        return words.replace("FOLDER", str(self.folder))


@pytest_twisted.async_yield_fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The servers of all tests here."""
    made = Site(tmp_path_factory.mktemp("site"))
    await made.serve()
    made.authority.issue("ann", -DAY)
    made.other.issue("eve")
    yield made
    for port in made.ports.values():
        await port.stopListening()


async def by_reactor(name: str) -> Exception:
    """Return what connecting fails with."""
    with pytest.raises(ConnectionLost) as failed:
        await connect(name, timeout=DEADLINE)
    return failed.value


async def by_script(name: str) -> Exception:
    """The same of a script."""

    def fail() -> Exception:
        with pytest.raises((EOFError, ssl.SSLError)) as failed:
            rpyc.connect(name)
        return failed.value

    return await deferToThread(fail)


CA = "ca=FOLDER/authority.pem"
REFUSED = "the client's certificate "
OWN = "refused this (client|side)'s certificate: "


@pytest.mark.parametrize("way", [by_reactor, by_script])
@pytest.mark.parametrize(
    ("name", "client", "server"),
    [
        (
            f"tls:@late:{CA}",
            r"the server's certificate \(CN=late\) expired on 20\d\d-\d\d-\d\d$",
            "the peer refused this side's certificate: it has expired",
        ),
        (
            "tls:@good:ca=FOLDER/other/other.pem",
            r"the server's certificate \(CN=server\) is not trusted: no authority that is known "
            r"here has signed it \(its issuer is CN=authority\)$",
            "the peer refused this side's certificate: no authority that is known there",
        ),
        (
            f"tls:@good:{CA}:hostname=other.example",
            r"the server's certificate \(CN=server\) is for localhost, 127.0.0.1, not "
            "other.example$",
            "",
        ),
        (f"tls:@asking:{CA}", f"{OWN}it wants one$", "the peer showed no certificate, and one is"),
        (
            f"tls:@asking:{CA}:cert=FOLDER/ann.pem",
            f"{OWN}it has expired",
            f"{REFUSED}\\(CN=ann\\) expired on 20",
        ),
        (
            f"tls:@asking:{CA}:cert=FOLDER/other/eve.pem",
            f"{OWN}no authority that is known there has signed it$",
            f"{REFUSED}\\(CN=eve\\) is not trusted: no authority that is known here has",
        ),
        (f"tls:@plain:{CA}", "the peer hung up before TLS began: does it speak TLS", SPOKE_TLS),
        ("@good", f"{SPOKE_TLS}$", NO_TLS),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_reason_is_told_at_both_ends(
    site: Site, way: Callable[[str], Any], name: str, client: str, server: str
) -> None:
    """
    In the client's error, behind the words of Python's ssl where it is that, and in the line
    that the server logs when the connection ends.
    """
    async with logged() as events:
        error = await way(site.name(name))

        def lines() -> list[str]:
            texts = [formatEvent(each) for each in events if "why" in each]
            return [text for text in texts if re.search(f"left after .*: {server}", text)]

        await until(lines)
    assert re.search(client, str(error)), error
    if isinstance(error, ssl.SSLError):
        assert str(error).startswith("[SSL: ")  # as a stock client has it


@pytest_twisted.ensureDeferred
async def test_tls_at_a_plain_port_is_a_line_of_its_own(tmp_path: Path) -> None:
    """Not one about frames."""
    port = await listen(LOOPBACK, Desk)
    async with logged() as events:
        await by_script(f"tls:localhost:{port.getHost().port}:ca={Authority(tmp_path).path}")
        told = [each for each in map(formatEvent, events) if "spoke TLS" in each]
    await port.stopListening()
    assert len(told) == 1
    assert re.fullmatch(r"127\.0\.0\.1:\d+ spoke TLS to a plain port", told[0])
