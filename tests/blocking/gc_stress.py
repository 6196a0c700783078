"""
A program that has garbage collected all the time while threads use netrefs.

Not a test file: `test_stress.py` runs it as a process. Netrefs die in cycles, so
that it is the collector that finds them, in whatever thread and wherever that is.
It prints what is left in the peers' tables.
"""

from __future__ import annotations

import faulthandler
import gc
import sys
import time
from typing import Any

import txremote.blocking as rpyc
from tests.blocking.script_threads import Script, client, linked, serving

THREADS = 6
ROUNDS = 25


class Shop(rpyc.Service):
    """Hands out objects."""

    def on_connect(self, conn: Any) -> None:
        self.conn = conn

    def exposed_things(self, count: int) -> tuple[Any, ...]:
        return tuple([number] for number in range(count))

    def exposed_call(self, function: Any, things: Any) -> Any:
        return function(things)


def use(conn: Any) -> None:
    """Get objects, and drop them in cycles, in the script and in callbacks."""
    for _ in range(ROUNDS):
        things = conn.root.things(5)
        cycle: list[Any] = [things]
        cycle.append(cycle)
        assert things[3][0] == 3
        assert conn.root.call(lambda given: given[0][0] + len(given), ([7], [8])) == 9
        del things, cycle


def run(conn: Any, there: Any) -> str:
    """
    Use a connection in many threads; return how many objects each end still holds
    when it has had the time to give them back.

    Args:
        conn: The client's.
        there: The protocol of the other end.
    """
    scripts = [Script(use, conn) for _ in range(THREADS)]
    for script in scripts:
        script.result(60)
    end = time.monotonic() + 20
    while True:
        gc.collect()
        conn.ping()
        left = len(conn.protocol._tables.exports), len(there._tables.exports)
        # the service itself, which the client has as the root
        if left == (0, 1) or time.monotonic() > end:
            return f"{left[0]} {left[1]}"
        time.sleep(0.02)


def main() -> None:
    """Run it against a server in a reactor, and against one without."""
    faulthandler.dump_traceback_later(100, exit=True)
    sys.setswitchinterval(1e-5)
    gc.set_threshold(1)
    with serving(Shop) as server, client(server) as conn:
        print(run(conn, next(iter(server.clients))))
    service = Shop()
    with linked(service) as conn:
        print(run(conn, service.conn.protocol))


if __name__ == "__main__":
    main()
