"""
How the log names a peer.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress

from txremote.peer.naming import address_text, peer_text


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (IPv4Address("TCP", "127.0.0.1", 42662), "127.0.0.1:42662"),
        (IPv6Address("TCP", "::1", 42662), "[::1]:42662"),
        (UNIXAddress(b"/run/x.sock"), "unix"),
        (UNIXAddress(None), "unix"),
        (HostnameAddress(b"host", 1), "HostnameAddress(hostname=b'host', port=1)"),
        (None, "nobody"),
    ],
)
def test_an_address_is_written_as_people_write_it(address: Any, text: str) -> None:
    """And a UNIX socket's client, which has none, by its kind."""
    assert address_text(address) == text


@pytest.mark.parametrize(
    ("user", "text"),
    [
        (None, "unix"),
        ("ann", "ann at unix"),
        ("two\nlines", "'two\\nlines' at unix"),
        ("n" * 1000, "n" * 100 + "... at unix"),
    ],
)
def test_a_user_stands_before_its_address_and_forges_no_line(user: Any, text: str) -> None:
    """Nor does a long name fill the log."""
    assert peer_text(UNIXAddress(None), user) == text
