"""
The admin site's start and stop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.client import HTTPConnectionPool

from tests.monitor.web.made_up import Client, MadeUpMonitor, metrics
from txremote.monitor.web.service import AdminService
from txremote.monitor.web.tokenfile import BadToken, TokenFile


def service(token: TokenFile | None, interface: str = "127.0.0.1") -> Any:
    """Return a service on a free port."""
    endpoint, monitor = TCP4ServerEndpoint(reactor, 0, interface=interface), MadeUpMonitor()
    made: Any = AdminService(
        endpoint,
        "tcp:0",
        monitor,  # type: ignore[arg-type]
        token=token,
        secure=False,
        exposition=metrics,
        reactor=reactor,  # type: ignore[arg-type]
    )
    return made


@pytest_twisted.ensureDeferred
async def test_it_lets_in_who_knows_the_token_of_its_file(tmp_path: Path) -> None:
    """From its start on; stopping ends what is open, and it can be started again."""
    file = tmp_path / "token"
    site = service(TokenFile(str(file)))
    for _time in range(2):
        site.privilegedStartService()
        client = Client(site.ports[0].getHost().port, HTTPConnectionPool(reactor, False))
        assert (await client.ask("/api/overview.json", token=b"")).code == 403
        site.startService()
        token = file.read_bytes().strip()
        assert (await client.ask("/api/overview.json", token=token)).code == 200
        await site.stopService()
        assert not site.ports


@pytest_twisted.ensureDeferred
async def test_it_does_not_listen_where_strangers_can_connect() -> None:
    """Whatever its endpoint was thought to be: the port is given back at once."""
    site = service(TokenFile(None), interface="")
    with pytest.raises(ValueError, match="the admin site shows who does what"):
        site.privilegedStartService()
    assert not site.ports


@pytest_twisted.ensureDeferred
async def test_a_token_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    """Nobody is let in then."""
    file = tmp_path / "token"
    file.write_text("short")
    file.chmod(0o600)
    site = service(TokenFile(str(file)))
    with pytest.raises(BadToken, match=r"the admin site has no token: .*one token of 16"):
        site.startService()
    await site.stopService()
