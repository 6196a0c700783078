"""
The sockets that a supervisor opens.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from txremote.daemon.configfile import plan_of
from txremote.daemon.resolve import Resolved, resolve
from txremote.daemon.workers.sockets import CannotOpen, OpenSockets


def resolved(*listen: str) -> Resolved:
    """Return a plan with these addresses."""
    where = ", ".join(f'"{each}"' for each in listen)
    text = f'[[server]]\nservice = "tests.daemon.workers.shop.Shop"\nlisten = [{where}]\n'
    return resolve(plan_of(text, "site.toml"), reactor)  # type: ignore[arg-type]


@pytest_twisted.ensureDeferred
async def test_they_listen_and_accept_nobody(tmp_path: Path) -> None:
    """Whoever connects waits in the queue; a UNIX socket's file goes with the sockets."""
    path = tmp_path / "s"
    sockets = OpenSockets()
    sockets.open(resolved("tcp:0:interface=127.0.0.1", f"unix:{path}:mode=600"))
    assert [each for each, _port in sockets.ports] == [
        "tcp:0:interface=127.0.0.1",
        f"unix:{path}:mode=600",
    ]
    assert len(sockets.descriptors) == 2 and path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    await sockets.close()
    assert not path.exists() and not sockets.ports


def test_one_that_cannot_be_had_is_named_and_no_file_is_left(tmp_path: Path) -> None:
    """With where it was written."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        sockets = OpenSockets()
        with pytest.raises(CannotOpen) as caught:
            sockets.open(resolved(f"unix:{tmp_path / 's'}", where))
    assert caught.value.address.description == where
    assert caught.value.origin.table == "[[server]] 1"
    assert not list(tmp_path.iterdir())
