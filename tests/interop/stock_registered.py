"""
A stock RPyC process that uses registries, each given as ``udp:PORT`` or ``tcp:PORT``.

``serve NAME REGISTRY...``: a server for each registry, which registers itself there; until it is
told to end. ``find NAMES REGISTRY...``: connects by the name of each service, and prints what it
answers.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

import rpyc
from rpyc.utils.registry import TCPRegistryClient, UDPRegistryClient
from rpyc.utils.server import ThreadedServer


def registrar(word: str) -> Any:
    """Return the client of a registry."""
    way, port = word.split(":")
    return {"udp": UDPRegistryClient, "tcp": TCPRegistryClient}[way]("127.0.0.1", int(port))


def serve(name: str, words: list[str]) -> None:
    """Serve until SIGTERM, and leave the registries then."""

    class Shop(rpyc.Service):
        ALIASES = [name]

        def exposed_price(self, count):
            return count * 3

    servers = [
        ThreadedServer(Shop, hostname="127.0.0.1", registrar=registrar(word), auto_register=True)
        for word in words
    ]
    for server in servers:
        threading.Thread(target=server.start, daemon=True).start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_signal: ended.set())
    print("serves", flush=True)
    while not ended.wait(0.1):
        pass
    for server in servers:
        server.close()
    print("left", flush=True)


def find(names: str, words: list[str]) -> None:
    """Print what each service answers, found by each registry."""
    for word in words:
        for name in names.split(","):
            try:
                with rpyc.connect_by_service(name, registrar=registrar(word)) as conn:
                    answer = conn.root.price(5)
            except Exception as problem:
                answer = f"{type(problem).__name__}: {problem}"
            print(f"{word} {name} {answer}", flush=True)
    print("end", flush=True)


if __name__ == "__main__":
    _script, what, name, *words = sys.argv
    {"serve": serve, "find": find}[what](name, words)
