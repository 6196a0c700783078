"""
rpyc-import-bridge: ``import`` takes modules from the other side, and makes classes of theirs.
"""

from __future__ import annotations

import importlib
import sys

import rpyc
from rpyc.utils.server import ThreadedServer
from rpyc_import_bridge import ImportBridge

from tests.interop.published.play import serve as run


class Importer(rpyc.Service):
    """The service as the package's page has it."""

    def exposed_import_module(self, module_name):
        """Import here."""
        return importlib.import_module(module_name)


def serve() -> None:
    """Serve it with all attributes."""
    config = {"allow_all_attrs": True}
    run(ThreadedServer(Importer, hostname="127.0.0.1", port=0, protocol_config=config))


def use(port: int) -> None:
    """Import functions, classes and a package of the server's."""
    conn = rpyc.connect("127.0.0.1", port, config={"allow_all_attrs": True})
    sys.modules.pop("fractions", None)
    with ImportBridge(conn, "fractions", "colorsys", "xml") as bridge:
        assert bridge.verify_connection()
        import xml.dom.minidom as minidom
        from colorsys import rgb_to_hsv
        from fractions import Fraction

        assert rgb_to_hsv(0, 0, 1) == (2 / 3, 1.0, 1)
        half = Fraction(1, 2)
        assert half.numerator == 1
        assert str(half.limit_denominator(3)) == "1/2"
        document = minidom.parseString("<a><b/></a>")
        assert document.documentElement.tagName == "a"
    conn.close()
