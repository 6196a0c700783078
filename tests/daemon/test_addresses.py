"""
Addresses: who can reach them, and which take the same.
"""

from __future__ import annotations

import pytest

from txremote.daemon.addresses import ListenAddress, address_of


@pytest.mark.parametrize(
    ("description", "exposed"),
    [
        ("tcp:18861", True),
        ("tcp:18861:interface=0.0.0.0", True),
        ("tcp:18861:127.0.0.1", False),
        ("tcp:18861:interface=127.0.0.1", False),
        ("tcp:port=18861:interface=localhost", False),
        (r"tcp6:18861:interface=\:\:1", False),
        (r"tcp6:18861:interface=\:\:", True),
        ("ssl:18861:privateKey=x", True),
        ("ssl:18861:privateKey=x:interface=127.0.0.1", False),
        ("unix:/run/x.sock", False),
        ("systemd:domain=INET:index=0", False),
        ("fd:5", False),
    ],
)
def test_who_can_reach_an_endpoint(description: str, exposed: bool) -> None:
    """Other machines, if its description says nothing else; of some kinds nothing is known."""
    assert ListenAddress(description, None).exposed is exposed


@pytest.mark.parametrize(
    ("description", "other", "same"),
    [
        ("tcp:18861", "tcp:18861", True),
        ("tcp:18861:127.0.0.1", "ssl:port=18861:interface=127.0.0.1:privateKey=x", True),
        ("tcp:18861:interface=127.0.0.1", "tcp:18861:interface=127.0.0.2", False),
        ("tcp:18861", "tcp:18862", False),
        ("unix:x.sock", "unix:./x.sock:mode=600", True),
        ("unix:x.sock", "unix:y.sock", False),
    ],
)
def test_what_takes_the_same(description: str, other: str, same: bool) -> None:
    """However it is written."""
    assert (address_of(description) == address_of(other)) is same
    assert address_of(description) is not None


@pytest.mark.parametrize("description", ["tcp:0", "fd:5", "systemd:domain=INET:index=0"])
def test_what_takes_nothing_that_is_known(description: str) -> None:
    """A port that is chosen when it listens may be asked for many times."""
    assert address_of(description) is None


@pytest.mark.parametrize("port", ["65536", "-1"])
def test_a_port_that_is_none(port: str) -> None:
    """It is told which there are."""
    with pytest.raises(ValueError, match=f"{port} is no port: it is 0 to 65535"):
        address_of(f"tcp:{port}")


def test_a_socket_without_a_path() -> None:
    """It is told how to write it."""
    with pytest.raises(ValueError, match="it has no path: unix:PATH"):
        address_of("unix:")
