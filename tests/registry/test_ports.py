"""Places, as everything that connects takes them."""

from __future__ import annotations

import pytest

from txremote.registry.ports import Place
from txremote.servername import server_name


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (Place("10.0.0.7", 18861), "tcp:10.0.0.7:18861"),
        (Place("shop.example", 443, "tls"), "tls:shop.example:443"),
        (Place("/run/shop:1", 0, "unix"), "unix:/run/shop\\:1"),
        (Place("::1", 18861), "tcp:\\:\\:1:18861"),
    ],
)
def test_a_place_is_a_name_of_a_server(place: Place, name: str) -> None:
    """With all of its parts, also where they have colons."""
    assert place.name == place.key == name
    found = server_name(name)
    assert (found.kind, found.host or found.path, found.port) == (
        place.scheme,
        place.host,
        place.port,
    )


def test_a_server_keeps_its_key() -> None:
    """It is found again by it, whatever its load is."""
    assert Place("10.0.0.7", 18861, load=0.5, key="one").key == "one"
