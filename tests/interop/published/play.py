"""
One side of a driver, as a process: ``LIBRARY DRIVER serve`` or ``LIBRARY DRIVER use PORT``.

With ``txremote`` for the library the import is changed: ``import rpyc``, in the package and
in the driver, gives `txremote.blocking`, and each of its modules what has its name there.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
import time
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class Changed(MetaPathFinder, Loader):
    """The changed import."""

    def find_spec(self, fullname, path=None, target=None):
        """Take RPyC's modules, and no others."""
        if fullname.partition(".")[0] != "rpyc":
            return None
        try:
            found = importlib.import_module(fullname.replace("rpyc", "txremote.blocking", 1))
        except ModuleNotFoundError:
            return None
        return ModuleSpec(fullname, self, loader_state=(found, found.__spec__))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Give txremote's module itself."""
        return spec.loader_state[0]

    def exec_module(self, module: ModuleType) -> None:
        """It has run already; let it know itself by its own name."""
        module.__spec__ = module.__spec__.loader_state[1]


def main(library: str, name: str, side: str, *port: str) -> None:
    """Serve until killed, or be a client to its end."""
    if library == "txremote":
        sys.meta_path.insert(0, Changed())
    os.environ["PUBLISHED_LIBRARY"] = library  # for the programs that a driver starts
    import rpyc

    assert rpyc.__name__ == {"txremote": "txremote.blocking", "rpyc": "rpyc"}[library]
    driver = importlib.import_module(f"tests.interop.published.{name}")
    if side == "serve":
        driver.serve()
    else:
        driver.use(int(port[0]))
        print("done", flush=True)


def serve(server) -> None:
    """Start a ``ThreadedServer``, and say its port once it can be connected to."""
    say_port(server.port)
    server.start()


def say_port(port: int) -> None:
    """Tell the test where the server is, as soon as it can be connected to."""

    def ask() -> None:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            else:
                break
        # in one piece, for the server's log may say something of that connection just now
        os.write(1, f"\nserves on {port}\n".encode())

    threading.Thread(target=ask, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
