"""How many connections a listener takes."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock

from tests.net.servers import Desk
from txremote.config import ConnectionConfig
from txremote.eventloop.connection_limits import ConnectionLimits, host_of
from txremote.net.listen import ServingFactory
from txremote.testing import MemoryTransport


def test_each_limit_is_named_in_its_refusal() -> None:
    limits: Any = ConnectionLimits(
        ConnectionConfig(max_connections=4, max_per_address=2, max_logins=3)
    )
    limits.add("a", "here", expects_login=True)
    limits.add("b", "here", expects_login=True)
    assert "2 connections of this address have not logged in" in limits.refusal("here")
    assert limits.refusal("there") is limits.refusal(None) is None
    limits.logged_in("a")
    assert "max_per_address" in limits.refusal("here")
    limits.add("c", "there", expects_login=True)
    limits.add("d", None, expects_login=True)
    assert "max_connections" in limits.refusal(None)
    limits.remove("a")
    assert "3 connections have not logged in" in limits.refusal("elsewhere")


def test_nothing_is_left_of_what_has_ended() -> None:
    limits: Any = ConnectionLimits(ConnectionConfig())
    for host in ("here", "here", None):
        limits.add(host, host, expects_login=True)
        limits.remove(host)
    assert not (limits.connections or limits.hosts or limits.without_login)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_an_address_of_ipv6_is_its_network(one: str, other: str, same: bool) -> None:
    """One machine has 2**64 of those; an IPv4 address is one, however it is written."""
    hosts = [
        host_of((IPv6Address if ":" in text else IPv4Address)("TCP", text, 1))
        for text in (one, other)
    ]
    assert (hosts[0] == hosts[1]) is same


def test_peers_without_a_host_are_one() -> None:
    """UNIX sockets; and what is no address of IP is itself."""
    assert host_of(UNIXAddress(b"/some/where")) is host_of(None) is None
    assert host_of(IPv4Address("TCP", "somewhere", 1)) == "somewhere"


def test_the_addresses_of_one_ipv6_network_are_one() -> None:
    """Whoever has an IPv6 address has all that begin with the same 64 bits."""
    factory = ServingFactory(Clock(), Desk, {"max_per_address": 2})
    for number in range(1, 4):
        address = IPv6Address("TCP", f"2001:db8::{number}", 1)
        conn: Any = factory.buildProtocol(address)
        conn.makeConnection(MemoryTransport(address))
        assert (conn in factory.connections) is (number < 3)
    other = factory.buildProtocol(IPv6Address("TCP", "2001:db8:0:1::1", 1))
    assert other in factory.connections
