"""What a registry says is no reason for trust."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from txremote.registry.dialled import (
    MAX_PLACES,
    check_login,
    check_no_registry,
    dialled,
    first_to_try,
    names_to_try,
    none_named,
    none_reached,
)
from txremote.registry.ports import Place
from txremote.servername import server_name

TCP, TLS, UNIX = Place("h", 1), Place("h", 1, "tls"), Place("/run/s:1", 0, "unix")


@pytest.mark.parametrize(
    ("place", "asked", "name"),
    [
        (TCP, "registry:shop", "tcp:h:1"),
        (TLS, "registry:shop", "tls:h:1"),
        (UNIX, "registry:shop", r"unix:/run/s\:1"),
        (Place("::1", 1), "registry:shop", r"tcp:\:\:1:1"),
        (TCP, "registry:shop:timeout=3", "tcp:h:1:timeout=3"),
        # the client says whether there is TLS, and a registry cannot take it away
        (TCP, r"registry:shop:ca=/a\:b.pem", r"tls:h:1:ca=/a\:b.pem"),
        (TCP, "registry:shop:hostname=shop.example", "tls:h:1:hostname=shop.example"),
        (TCP, "registry:shop:cert=me.pem:key=k.pem", "tls:h:1:cert=me.pem:key=k.pem"),
        (TLS, "registry:shop:ca=a.pem:timeout=3", "tls:h:1:ca=a.pem:timeout=3"),
        (UNIX, "registry:shop:ca=a.pem", None),
        # what cannot be dialled
        (Place("h", 0), "registry:shop", None),
        (Place("h", 70000), "registry:shop", None),
        (Place("", 1), "registry:shop", None),
        (Place("h", 1, "carrier"), "registry:shop", None),
    ],
)
def test_a_place_is_dialled_as_the_client_says(place: Place, asked: str, name: str | None) -> None:
    """By TLS wherever the client's name has to do with certificates."""
    assert dialled(place, server_name(asked)) == name


@given(st.text(), st.integers(), st.sampled_from(["tcp", "tls", "unix"]))
def test_no_host_of_a_registry_is_more_than_a_host(host: str, port: int, scheme: str) -> None:
    """It cannot bring options of its own into the name, such as another authority."""
    name = dialled(Place(host, port, scheme), server_name("registry:shop:ca=ours.pem"))
    if name is not None:
        found = server_name(name)
        assert (found.kind, found.host, found.port) == ("tls", host, port)
        assert found.options == {"ca": "ours.pem"}


@pytest.mark.parametrize("name", ["registry:shop", "registry:shop:cert=me.pem"])
def test_a_login_is_not_sent_to_anyone_whom_a_registry_names(name: str) -> None:
    """A certificate that is good for any host is had by anyone."""
    with pytest.raises(ValueError, match=f"^{name}: a registry can be spoofed, .* say "):
        check_login(server_name(name))


@pytest.mark.parametrize(
    "name", ["registry:shop:ca=a.pem", "registry:shop:hostname=shop.example", "tcp:h:1"]
)
def test_a_login_is_sent_where_the_certificate_shows_whose_it_is(name: str) -> None:
    """Or where the user has named the server."""
    check_login(server_name(name))


def test_the_least_busy_is_tried_first() -> None:
    """The others by chance; of very many not all."""
    places = [Place(str(number), 1, load=load) for number, load in enumerate([0.5, 0.1, 0.9])]
    assert [place.load for place in first_to_try(places)] == [0.1, 0.5, 0.9]
    many = [Place(str(number), 1) for number in range(1000)]
    assert len(first_to_try(many)) == MAX_PLACES


def test_a_key_has_an_order_of_its_own_which_stays_when_one_goes() -> None:
    """So the same server is found again, whatever the registry's order."""
    places = [Place(str(number), 1) for number in range(5)]
    named = server_name("registry:shop")
    order = names_to_try(places, named, "ann")
    assert names_to_try(places[::-1], named, "ann") == order
    assert names_to_try(places, named, "bob") != order
    left = [place for place in places if place.name != order[0]]
    assert names_to_try(left, named, "ann") == order[1:]


def test_what_is_wrong_is_said_in_a_sentence() -> None:
    """With the service's name, and what was tried."""
    assert none_named("shop", False) == "the registry names no place of shop"
    assert none_named("shop", True) == "the registry names no place of shop that can be dialled"
    assert none_reached("shop", ["a: b", "c: d"]) == "no place of shop was reached: a: b; c: d"
    check_no_registry(None, "tcp:h:1")
    with pytest.raises(ValueError, match="registry= goes with registry:NAME, and not with 'h:1'"):
        check_no_registry("rpyc://h", "h:1")
