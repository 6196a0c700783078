"""
The parts of a connection know it by Protocols, and a `Connection` has all of what they say.
"""

from __future__ import annotations

import pytest

from txremote.peer import context, introduction, ports
from txremote.testing import connected_pair


@pytest.mark.parametrize(
    ("port", "part"),
    [
        (context.CalledConnection, ""),
        (ports.ConnectionPort, ""),
        (introduction.Introduced, ""),
        (ports.InboundPort, "inbound"),
        (ports.CallsPort, "inbound.ledger"),
        (ports.TimeoutsPort, "inbound.timeouts"),
        (ports.OutboundPort, "outbound"),
        (ports.ClosingPort, "closing"),
        (ports.BackpressurePort, "backpressure"),
    ],
)
def test_a_connection_has_what_a_port_says(port: type, part: str) -> None:
    """All of it is there, and of one that has just begun nothing raises."""
    found: object = connected_pair().server
    for name in filter(None, part.split(".")):
        found = getattr(found, name)
    names = {
        name
        for base in port.__mro__
        if getattr(base, "_is_protocol", False)
        for name in (*vars(base), *vars(base).get("__annotations__", ()))
        if not name.startswith("_")
    }
    assert names
    for name in names:
        getattr(found, name)
