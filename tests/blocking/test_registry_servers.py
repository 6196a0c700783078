"""RPyC's registry servers: their life, and the hooks of those that derive from them."""

from __future__ import annotations

import pytest
from twisted.internet.error import CannotListenError

from tests.blocking.script_threads import scripted, wait_until
from tests.blocking.test_registrars import running
from txremote.blocking.registrars import UDPRegistryClient
from txremote.blocking.registry_servers import RegistryServer, TCPRegistryServer, UDPRegistryServer


class Noted(UDPRegistryServer):
    """Notes who comes and goes; its hooks fail."""

    def __init__(self) -> None:
        self.told: list[str] = []
        super().__init__(port=0)

    def on_service_added(self, name: str, addrinfo: tuple[str, int]) -> None:
        self.told.append(f"+{name} {addrinfo[1]}")
        raise ZeroDivisionError

    def on_service_removed(self, name: str, addrinfo: tuple[str, int]) -> None:
        self.told.append(f"-{name} {addrinfo[1]}")
        raise ZeroDivisionError


@scripted
def test_hooks_are_told_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """A renewal is none of their business."""
    server = Noted()
    with running(server) as port:
        registrar = UDPRegistryClient("127.0.0.1", port)
        for _ in range(2):
            assert registrar.register(("shop",), 7)
        registrar.unregister(7)
        assert server.told == ["+SHOP 7", "-SHOP 7"]
        assert registrar.list() is None
        server.allow_listing = True
        assert registrar.list() == ()
    assert caplog.text.count("ZeroDivisionError") >= 2


@scripted
def test_a_port_is_taken_when_one_is_made_and_given_back_when_it_is_closed() -> None:
    """Whether it was started or not; it is started once."""
    server = TCPRegistryServer(port=0)
    with pytest.raises(CannotListenError):
        TCPRegistryServer(port=server.port)
    server.close()
    server.close()
    with pytest.raises(ValueError, match="started once"):
        server.start()
    again = TCPRegistryServer(port=server.port)
    with running(again):
        wait_until(lambda: again.active)
        with pytest.raises(ValueError, match="started once"):
            again.start()
    with pytest.raises(TypeError, match="make a UDPRegistryServer"):
        RegistryServer()
