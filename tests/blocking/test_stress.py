"""
Many threads, many connections, calls within calls: nothing hangs, every answer
is right. Smaller than it could be, so that it takes seconds; ``TXREMOTE_STRESS=5``
in the environment makes all of it five times as long.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import (
    DEADLINE,
    Script,
    client,
    eager_switching,
    gather,
    linked,
    scripted,
    serving,
    wait_until,
)

FACTOR = int(os.environ.get("TXREMOTE_STRESS", "1"))


class Desk(rpyc.Service):
    """A bit of everything that nests."""

    def __init__(self) -> None:
        self.users: dict[str, Any] = {}

    def exposed_add(self, a: int, b: int) -> int:
        return a + b

    def exposed_call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def exposed_chain(self, left: int, function: Any) -> int:
        return 1 + function(left - 1) if left else 0

    def exposed_join(self, name: str, function: Any) -> None:
        self.users[name] = function

    def exposed_ring(self, names: tuple[str, ...], value: int) -> Any:
        """Call the first of some users, who is to pass it on to the rest."""
        return self.users[names[0]](names[1:], value) if names else value


class User:
    """
    A client that passes on what it is called with.

    Args:
        server: The server.
        name: Its name there.
    """

    def __init__(self, server: Any, name: str) -> None:
        self.conn = client(server)
        self.name = name
        self.conn.root.join(name, self.called)

    def called(self, names: tuple[str, ...], value: int) -> Any:
        """What others reach it by."""
        return self.conn.root.ring(names, value + 1)


# --- one connection ---------------------------------------------------------------


@pytest.mark.parametrize("how", ["server", "thread"])
@scripted
def test_twenty_threads_call_and_are_called_over_one_connection(how: str) -> None:
    """Plain calls, callbacks and callbacks that call back, all at once."""

    def use(conn: Any, seed: int) -> int:
        wrong = 0
        for number in range(seed, seed + 15 * FACTOR):
            wrong += conn.root.add(number, 1) != number + 1
            wrong += conn.root.call(lambda n=number: n * 2) != number * 2
            wrong += conn.root.call(lambda n=number: conn.root.add(n, 5)) != number + 5
            result = rpyc.async_(conn.root.add)(number, 7)
            wrong += result.value != number + 7
        return wrong

    with eager_switching():
        if how == "server":
            with serving(Desk, slots=2) as server, client(server) as conn:
                found = gather(*[lambda s=s * 1000: use(conn, s) for s in range(20)])
        else:
            with linked(Desk) as conn:
                found = gather(*[lambda s=s * 1000: use(conn, s) for s in range(20)])
    assert found == [0] * 20


@scripted
def test_background_threads_come_and_go_under_load() -> None:
    with serving(Desk) as server, client(server) as conn, eager_switching():
        stop = threading.Event()

        def serve() -> int:
            count = 0
            while not stop.is_set():
                rpyc.BgServingThread(conn).stop()
                conn.poll()
                conn.poll(0.001)
                count += 1
            return count

        def call(seed: int) -> bool:
            return all(
                conn.root.call(lambda n=n: conn.root.add(n, seed)) == n + seed
                for n in range(40 * FACTOR)
            )

        servers = [Script(serve) for _ in range(2)]
        try:
            assert gather(*[lambda s=s: call(s) for s in range(5)]) == [True] * 5
        finally:
            stop.set()
        assert all(script.result() for script in servers)


@scripted
def test_chains_in_many_threads_at_once() -> None:
    """Ten chains of thirty calls each are within each other on both sides."""
    with serving(Desk) as server, client(server) as conn:

        def chain() -> int:
            def back(left: int) -> int:
                return 1 + conn.root.chain(left - 1, back) if left else 0

            return conn.root.chain(30, back)  # type: ignore[no-any-return]

        for _ in range(FACTOR):
            assert gather(*[chain] * 5) == [30] * 5


# --- many connections -------------------------------------------------------------


@scripted
def test_six_clients_call_each_other_through_a_server_with_four_threads() -> None:
    """Each call passes through all of them, some more than once, and back."""
    with serving(Desk(), slots=4) as server:
        users = [User(server, f"user{number}") for number in range(6)]
        threads = [rpyc.BgServingThread(user.conn) for user in users]

        def ring(user: User, start: int) -> list[int]:
            names = [f"user{(start + step) % 6}" for step in range(12)]
            return [user.conn.root.ring(tuple(names), n) for n in range(5 * FACTOR)]

        found = gather(*[lambda u=u, s=s: ring(u, s) for s, u in enumerate(users)])
        assert found == [[n + 12 for n in range(5 * FACTOR)]] * 6
        for thread in threads:
            thread.stop()
        for user in users:
            user.conn.close()


@scripted
def test_six_clients_without_a_thread_beside_call_each_other() -> None:
    """They serve while they wait, and wait for each other all the time."""
    with serving(Desk(), slots=4) as server:
        users = [User(server, f"user{number}") for number in range(6)]
        start, end = threading.Barrier(6), threading.Event()
        left = [6]
        lock = threading.Lock()

        def chat(user: User, place: int) -> bool:
            start.wait(DEADLINE)
            others = tuple(f"user{(place + step) % 6}" for step in (1, 3, 2, 5))
            right = all(user.conn.root.ring(others, n) == n + 4 for n in range(10 * FACTOR))
            with lock:
                left[0] -= 1
                if not left[0]:
                    end.set()
            while not end.is_set():  # the others may still call
                user.conn.poll_all(0.01)
            return right

        assert gather(*[lambda u=u, p=p: chat(u, p) for p, u in enumerate(users)]) == [True] * 6
        for user in users:
            user.conn.close()


@scripted
def test_two_hundred_clients_wait_within_calls_on_a_pool_of_ten() -> None:
    """
    All are called back at the same moment, and none goes on before all are: so
    two hundred calls wait at once for a pool that runs ten.
    """
    count = 200
    with serving(Desk, slots=10, backlog=count) as server:
        everybody = threading.Barrier(count)

        def use(number: int) -> Any:
            def back(left: int) -> int:
                if left == 1:
                    everybody.wait(DEADLINE)
                return 1 + conn.root.chain(left - 1, back) if left else 0

            with client(server) as conn:
                depth = conn.root.chain(4, back)
                return depth, conn.root.call(lambda: conn.root.add(number, 1))

        found = gather(*[lambda n=n: use(n) for n in range(count)], timeout=2 * DEADLINE)
        assert found == [(4, number + 1) for number in range(count)]


@scripted
def test_clients_that_leave_at_any_moment_harm_nobody() -> None:
    """Some hang up in the middle of calls within calls; the others go on."""
    with serving(Desk, slots=3) as server, client(server) as steady:

        def leave() -> None:
            conn = client(server)

            def back(left: int) -> int:
                if left == 3:
                    conn.close()
                return 1 + conn.root.chain(left - 1, back)

            with pytest.raises(EOFError):
                conn.root.chain(10, back)

        def go_on() -> bool:
            return all(
                steady.root.call(lambda n=n: steady.root.add(n, 1)) == n + 1
                for n in range(30 * FACTOR)
            )

        assert gather(go_on, *[leave] * 20, go_on)[0] is True
        wait_until(lambda: len(server.clients) == 1)
        wait_until(lambda: server._factory._workers._running == 0)


# --- the end, and the collector -----------------------------------------------------


SERVER = """if True:
    import txremote.blocking as rpyc
    from twisted.internet.defer import Deferred
    from txremote.blocking.utils.server import ThreadedServer

    class Sleeper(rpyc.Service):
        def exposed_sleep(self):
            return Deferred()

    server = ThreadedServer(Sleeper)
    print(server.port, flush=True)
    server.start()
"""


@scripted
def test_a_server_that_is_killed_ends_every_wait_at_once() -> None:
    """Twenty threads on two connections wait for answers; each has its EOFError."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            conns = [rpyc.connect("127.0.0.1", port) for _ in range(2)]
            waiting = [Script(conn.root.sleep) for conn in conns for _ in range(10)]
            for conn in conns:
                wait_until(lambda conn=conn: len(conn.protocol.outbound.pending) == 10)
            pending = rpyc.async_(conns[0].root.sleep)()
        finally:
            server.send_signal(signal.SIGKILL)
        began = time.monotonic()
        for script in waiting:
            with pytest.raises(EOFError):
                script.result()
        assert time.monotonic() - began < 5
        assert pending.error
        for conn in conns:
            assert conn.closed
            conn.close()


def test_garbage_collection_at_every_chance_is_no_trouble() -> None:
    """``gc.set_threshold(1)``, many threads: no deadlock, and both tables empty."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.blocking.gc_stress"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("0 1\n0 1\n", 0), done.stderr
