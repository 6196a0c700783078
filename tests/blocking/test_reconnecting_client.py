"""
A script's connection that comes back: what becomes of each call, in a client whose server goes
and comes, with a clock that stands still; then servers in processes of their own, killed.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from twisted.cred.error import UnauthorizedLogin
from twisted.logger import LogEvent, globalLogPublisher

import txremote.blocking as rpyc
from tests.blocking.script_threads import Script, gather, scripted, wait_until
from tests.blocking.servers_that_go import begun, going, hanging
from tests.interop.peer_processes import Hosted, Program
from tests.net.test_client import STOCK
from txremote.errors import ConnectionLost, DeadReferenceError, WouldBlockReactor, WrongProcess


class Shop(rpyc.Service):
    """What the server offers."""

    exposed_pi = 3

    def exposed_add(self, a: int, b: int) -> int:
        return a + b

    def exposed_shelf(self) -> Any:
        return Shelf()

    def exposed_call(self, function: Callable[[int], Any], number: int) -> Any:
        return function(number)

    @rpyc.threaded
    def exposed_hang(self) -> None:
        begun.append(self)
        hanging.wait(20)


class Shelf(rpyc.Service):
    def exposed_count(self) -> int:
        return 7


@scripted
@pytest.mark.parametrize("serve", [False, True], ids=["looks", "serves"])
def test_a_call_is_made_on_whichever_connection_is_live(serve: bool) -> None:
    with going(Shop, serve=serve) as (client, server, clock):
        add, shelf = client.root.add, client.root.shelf()
        assert (add(1, 2), client.root.pi, shelf.count()) == (3, 3, 7)
        for time in range(3):
            before = client.connected()
            server.die()
            with pytest.raises(EOFError):
                before.root.add(1, 2)
            clock.asleep(time + 1)  # it knows, and waits for the next try
            assert client.status.state == "waiting"
            server.up = True
            late = Script(lambda: (add(2, 2), client.root.pi))
            clock.asleep(time + 30)
            clock.advance(1)
            assert late.result() == (4, 3)
            assert client.status.state == "connected" and client.connected() is not before
        with pytest.raises(DeadReferenceError):
            shelf.count()  # of the first connection


@scripted
@pytest.mark.parametrize("serve", [False, True], ids=["looks", "serves"])
def test_a_call_in_flight_fails_and_is_not_repeated(serve: bool) -> None:
    with going(Shop, serve=serve) as (client, server, clock):
        flying = [Script(client.root.hang), Script(rpyc.async_(client.root.hang)().wait)]
        wait_until(lambda: len(begun) == 2)
        server.die()
        server.up = True
        with pytest.raises(ConnectionLost):
            flying[0].result()
        flying[1].result()
        clock.asleep(1)
        clock.advance(1)
        assert client.root.add(1, 1) == 2
        assert (server.dialled, len(begun)) == (2, 2)


@scripted
def test_a_call_that_finds_no_connection_in_time_was_not_sent() -> None:
    """Its error says what became of the tries."""
    with going(Shop, wait_timeout=2.5) as (client, server, clock):
        add, old = client.root.add, client.connected()
        server.die()
        with pytest.raises(EOFError):
            old.root.pi
        late = [
            Script(add, 1, 2),
            Script(lambda: client.root.pi),
            Script(lambda: rpyc.async_(add)(1, 2).value),
        ]
        clock.asleep(2.5, len(late))
        for time in (1, 2):
            clock.asleep(time)
            clock.advance(1)
        clock.asleep(2.5)  # those that wait
        clock.asleep(3)  # the next try
        assert [script.runs for script in late] == [True] * 3
        clock.advance(0.5)
        for script in late:
            with pytest.raises(DeadReferenceError, match=r"^not sent.* 2\.5 s .*after 2 tries"):
                script.result()
        server.up = True
        clock.advance(0.5)
        assert add(1, 2) == 3


@scripted
def test_results_to_come_do_not_wait_for_the_connection() -> None:
    with going(Shop) as (client, server, clock):
        add, old = client.root.add, client.connected()
        assert rpyc.async_(add)(1, 2).value == 3
        server.die()
        with pytest.raises(EOFError):
            old.ping()
        clock.asleep(1)
        seen: list[int] = []
        late = rpyc.async_(add)(1, 2)
        late.add_callback(lambda result: seen.append(result.value))
        objects = rpyc.async_(client.root.shelf)()
        short = rpyc.timed(add, 0.5)(1, 2)
        assert not late.ready and not short.expired
        clock.advance(0.5)
        assert short.expired and not late.ready
        server.up = True
        clock.advance(0.5)
        client.connected()
        assert late.value == 3 and seen == [3]
        assert objects.value.count() == 7
        with pytest.raises(rpyc.AsyncResultTimeout):
            short.value
        assert rpyc.timed(client.root.add, 20)(1, 2).value == 3


@scripted
@pytest.mark.parametrize("comes", [True, False], ids=["sent", "failed"])
def test_a_result_to_come_is_waited_for_while_other_threads_are_busy(comes: bool) -> None:
    """The thread that begins the calls which have waited logs, or runs a callback of the first."""
    busy, seen = threading.Event(), threading.Event()

    def work(_result: Any) -> None:
        busy.set()
        assert seen.wait(20)

    def heard(event: LogEvent) -> None:
        if str(event.get("happened")).startswith("reached"):
            work(event)

    with going(Shop) as (client, server, clock):
        old = client.connected()
        server.die()
        with pytest.raises(EOFError):
            old.ping()
        clock.asleep(1)
        first, second = rpyc.async_(client.root.add)(1, 2), rpyc.async_(client.root.add)(3, 4)
        if comes:
            globalLogPublisher.addObserver(heard)
            server.up = True
            clock.advance(1)
        else:
            first.add_callback(work)
            closing = Script(client.close)
        try:
            assert busy.wait(20)
            if comes:
                assert second.value == 7
            else:
                with pytest.raises(DeadReferenceError):
                    second.value
        finally:
            seen.set()
            if comes:
                globalLogPublisher.removeObserver(heard)
            else:
                closing.result()


@scripted
def test_closing_fails_what_waits_and_what_is_in_flight() -> None:
    with going(Shop) as (client, server, clock):
        flying = Script(client.root.hang)
        wait_until(lambda: begun)
        client.close()
        with pytest.raises(EOFError):
            flying.result()
        assert client.status.state == "stopped" and client.closed
    with going(Shop) as (client, server, clock):
        add, old = client.root.add, client.connected()
        server.die()
        with pytest.raises(EOFError):
            old.ping()
        clock.asleep(1)
        late = [Script(add, 1, 2), Script(rpyc.async_(add)(1, 2).wait)]
        clock.asleep(30, len(late))
        with client:
            pass
        with pytest.raises(DeadReferenceError, match=r"not sent: the client .* closed$"):
            late[0].result()
        late[1].result()
        client.close()
        with pytest.raises(DeadReferenceError, match="closed"):
            add(1, 2)
        assert isinstance(_error_of(rpyc.async_(add)(1, 2)), DeadReferenceError)
        assert not client._keeper.is_alive()


def _error_of(result: Any) -> Exception | None:
    try:
        result.value
    except Exception as error:
        return error
    return None


@scripted
def test_many_threads_through_many_ends_have_one_outcome_for_each_call() -> None:
    with going(Shop, wait_timeout=None, retry_policy=lambda _failures: 0) as (
        client,
        server,
        _clock,
    ):
        add, outcomes, over = client.root.add, [0, 0], threading.Event()

        def dialled_after(tries: int) -> bool:
            return server.dialled > tries

        def work() -> None:
            while not over.is_set():
                try:
                    assert add(20, 3) == 23
                    outcomes[0] += 1
                except EOFError:
                    outcomes[1] += 1

        def kill() -> None:
            for _ in range(20):
                before = server.dialled
                server.die()
                server.up = True
                wait_until(functools.partial(dialled_after, before))
                client.connected()
            over.set()

        gather(kill, *[work] * 6, timeout=60)
        assert outcomes[0] and add(1, 1) == 2


def test_in_a_reactors_thread_it_is_refused() -> None:
    """The test's own thread is the reactor's."""
    with going(Shop) as (client, server, _clock):
        wait_until(lambda: client.status.state == "connected")
        with pytest.raises(WouldBlockReactor):
            client.root.add(1, 2)
        server.die()
        with pytest.raises(WouldBlockReactor):
            client.root.add(1, 2)


def test_in_a_forked_process_it_is_refused() -> None:
    with going(Shop) as (client, server, clock):
        wait_until(lambda: client.status.state == "connected")
        for gone in (False, True):
            if gone:
                server.die()
                Script(client._usable).result()
                clock.asleep(1)
            child = os.fork()
            if not child:
                try:
                    client.connected().root.add(1, 2)
                except WrongProcess:
                    os._exit(7)
                finally:
                    os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize("kind", ["rpyc 6", "rpyc 5", "twistd"])
@scripted
def test_a_server_that_is_killed_and_comes_back(kind: str, request: pytest.FixtureRequest) -> None:
    """A real one; stock RPyC's has a login, and its dialect is found out each time."""
    env = {"PYTHONPATH": str(request.getfixturevalue("rpyc5"))} if kind == "rpyc 5" else {}
    programs: list[Program] = []

    def serve(port: int) -> int:
        if kind == "twistd":
            place = f"tcp:{port}:interface=127.0.0.1"
            hosted = Hosted("tests.blocking.test_reconnecting_client.Users", place)
            programs.append(hosted)
            return hosted.port
        programs.append(Program([sys.executable, "-c", STOCK, str(port)], env=env))
        return int(programs[-1].wait_for(r"port (\d+)")[0][1])

    try:
        port = serve(0)
        soon: dict[str, Any] = {"retry_policy": lambda _failures: 0.05}
        with rpyc.reconnecting("127.0.0.1", port, login=("ann", "s3cret"), **soon) as client:
            whose, root = client.root.whose, client.connected().root
            for _ in range(1 if kind == "twistd" else 2):
                assert whose() == "ann"
                programs[-1].kill()
                with pytest.raises(EOFError):
                    root.whose()
                late = rpyc.async_(whose)()
                serve(port)
                assert client.root.whose() == late.value == "ann"
                assert client.root.self.self.whose() == "ann"
            with rpyc.reconnecting(f"127.0.0.1:{port}", login=("ann", "no"), **soon) as wrong:
                with pytest.raises(UnauthorizedLogin, match="the login of 'ann' was refused"):
                    wrong.root.whose()
                assert wrong.status.state == "refused"
    finally:
        for program in programs:
            program.kill()


class Users(rpyc.Service):
    """As the stock server's."""

    def exposed_login(self, user: str, password: str) -> Any:
        if password != "s3cret":
            raise PermissionError("wrong password")
        return User(user)


class User(rpyc.Service):
    def __init__(self, name: str) -> None:
        self.name = name
        self.exposed_self = self

    def exposed_whose(self) -> str:
        return self.name
