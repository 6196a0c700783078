"""
qudi-core: modules of a measurement program, shared with others and called by value.
"""

from __future__ import annotations

import absent

absent.stand_in("PySide6", "fysom", "ruamel", "jsonschema", "matplotlib", "lmfit")

import numpy  # noqa: E402
import rpyc  # noqa: E402
from qudi.core.servers import get_remote_module_instance  # noqa: E402
from qudi.core.services import RemoteModulesService  # noqa: E402
from rpyc.utils.server import ThreadedServer  # noqa: E402

from tests.interop.published.play import serve as run  # noqa: E402

CONFIG = dict.fromkeys(("allow_all_attrs", "allow_setattr", "allow_delattr", "allow_pickle"), True)


class Laser:
    """In place of a hardware module."""

    power = 0.25

    def scan(self, positions):
        """Take a list or an array by value, and give an array."""
        assert type(positions) in (list, numpy.ndarray), type(positions)
        return numpy.array(positions) * self.power


class Module:
    """In place of what the module manager keeps."""

    name = "laser"
    is_active = True

    def __init__(self):
        self.instance = Laser()

    def activate(self):
        """It is active."""
        return True


MODULE = Module()


class Modules(RemoteModulesService):
    """The service, with a module."""

    def __init__(self):
        super().__init__(force_remote_calls_by_value=True)
        self.share_module(MODULE)


def serve() -> None:
    """Serve with the switches of qudi's own servers."""
    run(ThreadedServer(Modules(), hostname="127.0.0.1", port=0, protocol_config=CONFIG))


def use(port: int) -> None:
    """List the modules, and call one with lists and arrays."""
    conn = rpyc.connect("127.0.0.1", port, config=CONFIG)
    assert conn.root.get_available_module_names() == ("laser",)
    assert conn.root.get_active_module_names() == ("laser",)
    laser = get_remote_module_instance(f"rpyc://127.0.0.1:{port}/laser")
    assert laser.power == 0.25
    found = rpyc.classic.obtain(laser.scan([1, 2]))
    assert isinstance(found, numpy.ndarray) and found.tolist() == [0.25, 0.5]
    laser.power = 2.0
    found = rpyc.classic.obtain(laser.scan(numpy.array([1.5])))
    assert found.tolist() == [3.0]
    laser.power = 0.25
    conn.close()
