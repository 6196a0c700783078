"""
A stock RPyC server process: the shop, served by RPyC's own servers.

Says ``NAME PORT`` for each server it runs (ThreadedServer, ThreadPoolServer, and
with a certificate a ThreadedServer behind TLS), then serves until it is killed.
"""

from __future__ import annotations

import os
import sys
import threading
import time

import rpyc
from rpyc.utils.authenticators import SSLAuthenticator
from rpyc.utils.server import ThreadedServer, ThreadPoolServer

from tests.interop.shop import Basket, Offered


class Shop(Offered, rpyc.Service):
    """One for each connection."""

    def on_connect(self, conn):
        self._conn = conn

    def exposed_held(self):
        return len(self._conn._local_objects._dict)

    def exposed_is_instance(self, thing):
        return isinstance(thing, Basket)

    def exposed_marked(self):
        return "marked"

    def exposed_later(self, seconds, value):
        time.sleep(seconds)
        return value

    def exposed_call_back(self, function, *args, **kwargs):
        return function(*args, **kwargs)

    def exposed_call_many(self, function, count):
        return [function(number) for number in range(count)]

    def exposed_total(self, numbers):
        return sum(numbers)

    def exposed_subscribe(self, listener, count):
        call = rpyc.async_(listener)

        def fire():
            for number in range(count):
                call(number)

        threading.Timer(0.05, fire).start()

    def exposed_pid(self):
        return os.getpid()


def main():
    servers = {
        "ThreadedServer": ThreadedServer(Shop, hostname="127.0.0.1"),
        "ThreadPoolServer": ThreadPoolServer(Shop, hostname="127.0.0.1", nbThreads=4),
    }
    if len(sys.argv) > 1:
        key, certificate = sys.argv[1:]
        guard = SSLAuthenticator(key, certificate)
        servers["TLS"] = ThreadedServer(Shop, hostname="127.0.0.1", authenticator=guard)
    for name, server in servers.items():
        server._listen()
        threading.Thread(target=server.start, daemon=True).start()
        print(name, server.port, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
