"""RPyC's registrars, and its registry servers, without a reactor of the program's."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.blocking.script_threads import scripted, wait_until
from txremote.blocking.registrars import (
    RegistryClient,
    TCPRegistryClient,
    UDPRegistryClient,
)
from txremote.blocking.registry_servers import (
    RegistryServer,
    TCPRegistryServer,
    UDPRegistryServer,
)
from txremote.errors import WouldBlockReactor

PAIRS = [(UDPRegistryClient, UDPRegistryServer), (TCPRegistryClient, TCPRegistryServer)]


@contextmanager
def running(server: RegistryServer) -> Iterator[int]:
    """Run a registry in a thread; give its port."""
    thread = threading.Thread(target=server.start)
    thread.start()
    try:
        yield server.port
    finally:
        wait_until(lambda: server.active)
        server.close()
        thread.join()


@pytest.mark.parametrize(("client", "server"), PAIRS)
def test_a_registrar_registers_and_finds(
    client: type[RegistryClient], server: type[RegistryServer]
) -> None:
    """Also from an address of this machine; nothing is found of who has left."""

    @scripted
    def test() -> None:
        with running(server(port=0, allow_listing=True)) as port:
            registrar = client("127.0.0.1", port)
            assert registrar.register(("Shop", "Till"), 7, interface="127.0.0.1") is True
            assert registrar.discover("sHOP") == (("127.0.0.1", 7),)
            assert set(registrar.list() or ()) == {"SHOP", "TILL"}
            assert registrar.list("10.0.0.1") == ()
            registrar.unregister(7)
            assert registrar.discover("shop") == ()

    test()


@scripted
def test_a_registry_that_is_not_there_takes_no_time(caplog: pytest.LogCaptureFixture) -> None:
    """And is no error to those who register, as with RPyC."""
    registrar = UDPRegistryClient("127.0.0.1", 1, timeout=30)
    assert registrar.discover("shop") == ()
    assert registrar.register(("shop",), 7) is False
    by_tcp = TCPRegistryClient("127.0.0.1", 1)
    assert by_tcp.register(("shop",), 7) is False
    by_tcp.unregister(7)
    with pytest.raises(ConnectionRefusedError):
        by_tcp.discover("shop")
    assert "could not connect to registry" in caplog.text


@scripted
def test_what_is_no_answer_is_passed_over() -> None:
    """A datagram of nonsense comes before the answer; by TCP it is all there is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as registry:
        registry.bind(("127.0.0.1", 0))

        def answer() -> None:
            _question, client = registry.recvfrom(2000)
            registry.sendto(b"\xff", client)
            registry.sendto(b"\x02", client)  # brine's ()

        thread = threading.Thread(target=answer)
        thread.start()
        registrar = UDPRegistryClient(*registry.getsockname(), logger=logging.getLogger("x"))
        assert registrar.discover("shop") == ()
        thread.join()


def test_none_is_asked_in_a_reactors_thread() -> None:
    """It would stop for seconds."""
    for registrar in (UDPRegistryClient("127.0.0.1", 1), TCPRegistryClient("127.0.0.1", 1)):
        with pytest.raises(WouldBlockReactor):
            registrar.discover("shop")
        with pytest.raises(WouldBlockReactor):
            registrar.register(("shop",), 7)


def test_whom_a_broadcast_asks_is_as_with_rpyc() -> None:
    """An address with 255 in it, unless it is said."""
    assert UDPRegistryClient().bcast
    assert UDPRegistryClient("10.0.0.255").bcast
    assert not UDPRegistryClient("10.0.0.255", bcast=False).bcast
    assert not UDPRegistryClient("::1", ipv6=True).bcast
