"""
nspyre: a laboratory's instruments, loaded by a server and driven by gateways.
"""

from __future__ import annotations

import absent

absent.without_its_face("nspyre")

import rpyc  # noqa: E402
from nspyre.instrument import InstrumentGateway, InstrumentServer  # noqa: E402
from rpyc.utils.server import ThreadedServer  # noqa: E402

from tests.interop.published.play import serve as run  # noqa: E402

# what has to be said: the gateway sets this switch on its live connection
if rpyc.__name__ == "txremote.blocking":
    rpyc.core.protocol.DEFAULT_CONFIG["allow_all_attrs"] = True


class Source:
    """In place of a signal generator."""

    def __init__(self, channels, amplitude=0.5):
        self.channels = list(channels)
        self.amplitude = amplitude
        self.opened = False

    def __enter__(self):
        self.opened = True
        return self

    def __exit__(self, *_exc):
        self.opened = False

    def sweep(self, steps):
        """Give the amplitudes of a sweep."""
        for step in range(steps):
            yield self.amplitude * step


server = InstrumentServer()


def serve() -> None:
    """Serve with the switches of the server's own thread."""
    switches = ("allow_pickle", "allow_all_attrs", "allow_setattr", "allow_delattr")
    config = dict.fromkeys(switches, True)
    run(ThreadedServer(server, hostname="127.0.0.1", port=0, protocol_config=config))


def use(port: int) -> None:
    """Add a device, drive it, restart it, remove it."""
    with InstrumentGateway("127.0.0.1", port, conn_timeout=5) as gateway:
        path = "tests.interop.published.instruments"
        gateway.add("sg", path, "Source", args=[[1, 2]], import_or_file="import")
        assert gateway.sg.opened is True
        assert list(gateway.sg.channels) == [1, 2]
        gateway.sg.device.amplitude = 2.0
        assert gateway.sg.amplitude == 2.0
        assert list(gateway.sg.sweep(3)) == [0.0, 2.0, 4.0]
        gateway.restart("sg")
        assert gateway.sg.amplitude == 0.5
        try:
            gateway.add("sg", path, "Source", import_or_file="import")
        except ValueError as problem:
            assert "already exists" in str(problem)
        else:
            raise AssertionError("added twice")
        gateway.remove("sg")
        assert list(gateway.devs()) == []
