"""Finding servers by the names of their services."""

from __future__ import annotations

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import scripted, serving
from tests.blocking.test_registrars import running
from txremote.blocking.discovery import DiscoveryError, ForbiddenError, default_registrar
from txremote.blocking.registrars import TCPRegistryClient, UDPRegistryClient
from txremote.blocking.registry_servers import UDPRegistryServer


class Shop(rpyc.Service):
    """Something to find."""

    ALIASES = ["SHOP", "STORE"]

    @rpyc.exposed
    def price(self) -> int:
        """A number."""
        return 7


@scripted
def test_a_server_is_found_and_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there any more is passed over; the environment may name the registry."""
    with running(UDPRegistryServer(port=0)) as port:
        monkeypatch.setenv("TXREMOTE_REGISTRY", f"rpyc://127.0.0.1:{port}")
        registrar = UDPRegistryClient("127.0.0.1", port)
        registrar.register(("store",), 1)
        with pytest.raises(DiscoveryError, match="All services are down"):
            rpyc.connect_by_service("store")
        with serving(Shop, registrar=registrar) as server:
            while len(found := rpyc.discover("store")) < 2:
                pass
            assert found == (("127.0.0.1", 1), ("127.0.0.1", server.port))
            assert rpyc.discover("shop", host="localhost", registrar=registrar) == found[1:]
            with rpyc.connect_by_service("store") as conn:
                assert conn.root.price() == 7
            with pytest.raises(DiscoveryError, match="were found on 10"):
                rpyc.discover("shop", host="10.0.0.1")
        with pytest.raises(DiscoveryError, match="no servers exposing 'shop'"):
            rpyc.discover("shop")
        with pytest.raises(ForbiddenError):
            rpyc.list_services()


@pytest.mark.parametrize(
    ("url", "kind", "ip"),
    [
        ("", UDPRegistryClient, "255.255.255.255"),
        ("rpyc://10.0.0.1:7", UDPRegistryClient, "10.0.0.1"),
        ("rpyc+tcp://10.0.0.1", TCPRegistryClient, "10.0.0.1"),
    ],
)
def test_which_registry_is_asked(
    url: str, kind: type, ip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with RPyC any of the local network, if none is named."""
    monkeypatch.setenv("TXREMOTE_REGISTRY", url)
    found = default_registrar(3)
    assert type(found) is kind
    assert (found.ip, found.timeout) == (ip, 3)


def test_redis_has_no_registrar(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its password is not shown."""
    monkeypatch.setenv("TXREMOTE_REGISTRY", "redis://:s3cret@10.0.0.1")
    with pytest.raises(ValueError, match="give them a registrar=") as caught:
        default_registrar(3)
    assert "s3cret" not in str(caught.value)
