"""
`ThreadedServer`: RPyC's server for programs without a reactor of their own.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_twisted
from twisted.python import threadable

import txremote
import txremote.blocking as rpyc
from tests.blocking.script_threads import (
    DEADLINE,
    Script,
    client,
    gather,
    run_script,
    scripted,
    serving,
    wait_until,
)
from tests.net.servers import endpoint_of, served
from txremote.blocking.authentication import SSLAuthenticator
from txremote.blocking.utils.registry import UDPRegistryClient
from txremote.blocking.utils.server import ThreadedServer


class Workshop(rpyc.Service):
    """Methods that run elsewhere."""

    @txremote.exposed
    @txremote.offloaded(pool="threads:1")
    def double(self, value: int) -> int:
        return value * 2

    @txremote.exposed
    @txremote.offloaded(pool="processes:1")
    def process(self) -> int:
        return os.getpid()


class Desk(rpyc.Service):
    """A bit of everything."""

    def __init__(self) -> None:
        self.gone = threading.Event()
        self.kept: Any = None

    def on_disconnect(self, conn: Any) -> None:
        self.gone.set()

    def exposed_add(self, a: Any, b: Any) -> Any:
        return a + b

    def exposed_call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def exposed_where(self) -> int:
        return threading.get_ident()

    def exposed_begin(self, function: Any, *args: Any) -> Any:
        return rpyc.async_(function)(*args)

    async def exposed_block(self, function: Any) -> Any:
        return function()


@scripted
def test_it_serves_until_it_is_closed() -> None:
    server = ThreadedServer(Desk)
    assert (server.host, server.active) == ("127.0.0.1", False)
    assert server.port > 0
    assert server.fileno() >= 0
    running = Script(server.start)
    conn = client(server)
    assert conn.root.add(1, 2) == 3
    assert server.active
    assert len(server.clients) == 1
    server.close()
    running.result()
    assert not server.active
    with pytest.raises(EOFError):
        conn.root.add(1, 2)
    with pytest.raises(OSError):
        client(server)
    server.close()


@scripted
def test_who_connects_before_it_starts_is_served_when_it_does() -> None:
    server = ThreadedServer(Desk)
    connecting = Script(client, server)
    running = Script(server.start)
    with connecting.result() as conn:
        assert conn.root.add(1, 2) == 3
    server.close()
    running.result()


@scripted
def test_requests_run_in_a_worker_thread_and_may_block() -> None:
    with serving(Desk) as server, client(server) as conn:
        assert conn.root.where() not in (threading.get_ident(), server._reactor.io_thread)
        assert conn.root.call(lambda a: a * 2, 4) == 8


@scripted
def test_methods_may_run_in_pools_which_end_with_their_server() -> None:
    pids = []
    for _ in range(2):
        with serving(Workshop) as server, client(server) as conn:
            assert (conn.root.double(4), conn.root.double(2)) == (8, 4)
            pids.append(conn.root.process())
    assert os.getpid() not in pids
    assert pids[0] != pids[1]
    wait_until(lambda: not any(map(psutil.pid_exists, pids)))


@scripted
def test_it_is_started_once() -> None:
    with serving(Desk) as server:
        wait_until(lambda: server.active)
        with pytest.raises(RuntimeError, match="make another"):
            server.start()
    with pytest.raises(RuntimeError, match="make another"):
        server.start()
    never = ThreadedServer(Desk)
    never.close()
    with pytest.raises(RuntimeError, match="make another"):
        never.start()


@scripted
def test_closed_the_moment_it_starts_it_ends() -> None:
    for _ in range(5):
        server = ThreadedServer(Desk)
        running = Script(server.start)
        wait_until(lambda server=server: server.active)
        server.close()
        server.close()
        running.result()


@scripted
def test_several_in_one_program_and_one_after_another() -> None:
    """Whichever ends first, the others go on, callbacks and async_ included."""
    first = ThreadedServer(Desk)
    second = ThreadedServer(Desk)
    ends = [Script(first.start), Script(second.start)]
    one, two = client(first), client(second)
    assert one.root.call(two.root.add, 1, 2) == 3
    first.close()
    ends[0].result()
    third = ThreadedServer(Desk, port=first.port)
    ends.append(Script(third.start))
    three = client(third)
    for conn in (two, three):
        assert conn.root.call(lambda: 5) == 5
        assert conn.root.begin(lambda: 6) == 6
    for server in (second, third):
        server.close()
    for end in ends[1:]:
        end.result()
    for conn in (one, two, three):
        conn.close()


@scripted
def test_an_exposed_method_may_close_it() -> None:
    class Closing(rpyc.Service):
        def exposed_close(self) -> None:
            server.close()

    server = ThreadedServer(Closing)
    running = Script(server.start)
    conn = client(server)
    try:
        conn.root.close()
    except EOFError:  # the answer may be cut off
        pass
    running.result()
    conn.close()


@scripted
def test_the_service_hears_of_clients_that_leave_and_of_its_own_end() -> None:
    service = Desk()
    with serving(service) as server:
        client(server).close()
        assert service.gone.wait(DEADLINE)
        service.gone.clear()
        conn = client(server)
    assert service.gone.wait(DEADLINE)
    conn.close()


@scripted
def test_a_client_that_dies_while_it_is_called_costs_the_server_one_call() -> None:
    """The method gets EOFError at once, on_disconnect follows, others are served."""
    caught: list[BaseException] = []

    class Caller(Desk):
        def exposed_call(self, function: Any, *args: Any) -> Any:
            try:
                return function(*args)
            except EOFError as error:
                caught.append(error)
                raise

    service = Caller()
    with serving(service, slots=1) as server, client(server) as conn:
        program = f"""if True:
            import os, txremote.blocking as rpyc
            conn = rpyc.connect("127.0.0.1", {server.port})
            conn.root.call(os._exit, 3)
        """
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 3
        assert service.gone.wait(5)
        assert len(caught) == 1
        assert conn.root.add(1, 2) == 3


@scripted
def test_a_kept_callback_fails_at_once_when_its_client_has_gone() -> None:
    class Keeper(Desk):
        def exposed_keep(self, function: Any) -> None:
            self.kept = function

        def on_disconnect(self, conn: Any) -> None:
            try:
                self.kept()
            except EOFError:
                self.gone.set()

    service = Keeper()
    with serving(service) as server:
        conn = client(server)
        conn.root.keep(lambda: None)
        conn.close()
        assert service.gone.wait(5)
        with pytest.raises(EOFError):
            service.kept()


@scripted
def test_blocking_in_its_reactors_thread_is_refused_at_once() -> None:
    """An ``async def`` runs there, where a blocking call would stop all others."""
    with serving(Desk) as server, client(server) as conn:
        with pytest.raises(Exception, match="would stop the reactor"):
            conn.root.block(lambda: 1)


@scripted
def test_an_asyncresult_that_a_method_returns_is_answered_when_it_is_there() -> None:
    with serving(Desk) as server, client(server) as conn:
        for number in range(20):
            assert conn.root.begin(lambda n: n + 1, number) == number + 1


# --- options ----------------------------------------------------------------------


@scripted
def test_a_port_that_is_taken_is_an_oserror_when_it_is_made() -> None:
    taken = ThreadedServer(Desk)
    with pytest.raises(OSError):
        ThreadedServer(Desk, port=taken.port)
    taken.close()
    again = ThreadedServer(Desk, port=taken.port)
    again.close()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"protocol_config": 5}, "config is a ConnectionConfig or a mapping"),
    ],
)
def test_what_is_not_supported_is_refused_with_a_sentence(options: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        ThreadedServer(Desk, **options)


@scripted
def test_a_registrar_that_is_not_to_be_used_is_taken() -> None:
    """As commands give one to every server."""
    registrar = UDPRegistryClient("255.255.255.255", port=18811)
    ThreadedServer(Desk, registrar=registrar, auto_register=False).close()


def test_what_is_no_service_is_refused() -> None:
    with pytest.raises(TypeError, match="is no service"):
        ThreadedServer(object())


def test_a_path_stands_in_place_of_a_port(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="in place of"):
        ThreadedServer(Desk, port=5, socket_path=str(tmp_path / "s"))
    with pytest.raises(ValueError, match="a registry knows ports only"):
        ThreadedServer(Desk, auto_register=True, socket_path=str(tmp_path / "s"))


@scripted
def test_a_unix_socket_goes_with_its_server(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for _ in range(2):
        with serving(Desk, socket_path=str(path)), rpyc.unix_connect(str(path)) as conn:
            assert conn.root.add(1, 2) == 3
        assert not path.exists()


@scripted
def test_what_a_closed_server_had_is_free_at_once(tmp_path: Path) -> None:
    """A next server has the same port and the same path, and keeps its file."""
    path, port = tmp_path / "s", 0
    for _ in range(20):
        server = ThreadedServer(Desk, port=port, reuse_addr=False)
        running = Script(server.start)
        wait_until(lambda server=server: server.active)
        port = server.port
        server.close()
        ThreadedServer(Desk, port=port, reuse_addr=False).close()
        running.result()
    for _ in range(20):
        server = ThreadedServer(Desk, socket_path=str(path))
        running = Script(server.start)
        wait_until(lambda server=server: server.active)
        server.close()
        assert not path.exists()
        following = ThreadedServer(Desk, socket_path=str(path))
        running.result()
        assert path.exists()
        following.close()
        assert not path.exists()


@scripted
def test_ipv6() -> None:
    try:
        server = ThreadedServer(Desk, ipv6=True)
    except OSError:
        pytest.skip("no IPv6 here")
    assert server.host == "::1"
    running = Script(server.start)
    with rpyc.connect("::1", server.port, ipv6=True) as conn:
        assert conn.root.add(1, 2) == 3
    server.close()
    running.result()


def test_a_classic_service_is_for_loopback_only() -> None:
    """Said when it is made, before anybody could connect."""
    with pytest.raises(ValueError, match="loopback"):
        ThreadedServer(rpyc.ClassicService, hostname="0.0.0.0")
    for name in ("localhost", "127.0.0.1", None):
        ThreadedServer(rpyc.SlaveService, hostname=name).close()


class Wide(Desk):
    """Opens all of itself."""

    def connection_config(self, config: Any) -> Any:
        return config.replace(allow_all_attrs=True)


@pytest.mark.parametrize(
    ("service", "config"),
    [
        (Desk, {"access": "classic"}),
        (Desk, {"allow_all_attrs": True}),
        (Desk, txremote.ConnectionConfig(allow_all_attrs=True)),
        (Wide(), None),
    ],
)
def test_what_opens_everything_is_for_loopback_only(service: Any, config: Any) -> None:
    """By its switches as by its class; the error names the option."""
    for options in ({"hostname": "0.0.0.0"}, {"hostname": "::", "ipv6": True}):
        try:
            with pytest.raises(ValueError, match=r"option allow_all_attrs.*loopback"):
                ThreadedServer(service, protocol_config=config, **options)
        except OSError:
            assert "ipv6" in options  # there is none here
    ThreadedServer(service, protocol_config=config).close()


@scripted
def test_switches_and_a_logger_are_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(rpyc.Service):
        public = 5

        def exposed_fail(self) -> None:
            raise KeyError("logged")

    log = logging.getLogger("tests.threaded")
    caplog.set_level(logging.DEBUG, "tests.threaded")
    switches = {"allow_public_attrs": True}
    with serving(Bad, protocol_config=switches, logger=log) as server, client(server) as conn:
        assert conn.root.public == 5
        with pytest.raises(KeyError):
            conn.root.fail()
        wait_until(lambda: any("remote call" in r.message for r in caplog.records))


@scripted
def test_what_published_programs_read_of_a_server() -> None:
    """RPyC's names."""
    config = {"allow_public_attrs": True}
    server = ThreadedServer(Desk, protocol_config=config, backlog=7)
    thread = server._start_in_thread()
    assert server.listener.getsockname()[1] == server.port
    assert (server.protocol_config, server.backlog) == (config, 7)
    assert server.logger.name == f"DESK/{server.port}"
    client(server).close()
    server.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()


@pytest.mark.parametrize("authenticator", [None, lambda sock: (sock, None)])
@scripted
def test_a_one_shot_server_serves_one_client(authenticator: Any) -> None:
    """Nobody else, not even meanwhile; it ends when that has gone."""
    server = rpyc.OneShotServer(Desk, authenticator=authenticator)
    thread = server._start_in_thread()
    conn = client(server)
    assert conn.root.add(1, 2) == 3
    with pytest.raises((OSError, EOFError)):
        client(server)
    conn.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()


@scripted
def test_a_server_with_so_many_threads() -> None:
    """Run so many requests at once; RPyC's other number has no effect."""

    class Busy(rpyc.Service):
        def exposed_meet(self) -> int:
            return barrier.wait(DEADLINE)

    barrier = threading.Barrier(3)
    server = rpyc.ThreadPoolServer(Busy(), nbThreads=3, requestBatchSize=5)
    thread = server._start_in_thread()
    conns = [client(server) for _ in range(3)]
    assert sorted(gather(*[conn.root.meet for conn in conns])) == [0, 1, 2]
    server.close()
    thread.join(DEADLINE)


@pytest.mark.parametrize("step", ["_serve_client", "_accept_method", "_handle_connection"])
def test_a_server_that_overrides_a_step_of_rpyc_s_is_refused(step: str) -> None:
    """For it would never be called."""
    kind = type("Mine", (ThreadedServer,), {step: lambda self, *args: None})
    with pytest.raises(TypeError, match=f"Mine overrides {step}.*on_connect"):
        kind(Desk)


def test_classic_mode_on_the_network_for_those_with_a_certificate(tmp_path: Path) -> None:
    """And for nobody else, whatever else an authenticator asks."""
    gate = SSLAuthenticator("key", "cert", "ca")
    ThreadedServer(rpyc.SlaveService, hostname="0.0.0.0", authenticator=gate).close()
    for other in (SSLAuthenticator("key", "cert"), lambda sock: (sock, None)):
        with pytest.raises(ValueError, match="this whole account"):
            ThreadedServer(rpyc.SlaveService, hostname="0.0.0.0", authenticator=other)


# --- beside other reactors --------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_the_programs_own_reactor_keeps_its_thread() -> None:
    """A server that runs in a thread leaves references of the main reactor usable."""

    class Plain(txremote.Service):
        @txremote.exposed
        def add(self, a: int, b: int) -> int:
            return a + b

    async with served(Plain) as port:
        conn = await txremote.connect(endpoint_of(port))
        server = ThreadedServer(Desk)
        ended = run_script(server.start)
        await run_script(lambda: client(server).close())
        assert threadable.isInIOThread()
        assert await conn.root.add(1, 2) == 3
        server.close()
        await ended
        assert threadable.isInIOThread()
        assert await conn.root.add(1, 2) == 3
        await conn.close()


def test_ctrl_c_ends_it() -> None:
    program = """if True:
        import txremote.blocking as rpyc
        from txremote.blocking.utils.server import ThreadedServer
        server = ThreadedServer(rpyc.VoidService)
        print(server.port, flush=True)
        server.start()
        print("ended", flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            # it answers from the moment on that its reactor runs

            def connect() -> None:
                rpyc.connect("127.0.0.1", port).close()

            Script(connect).result()
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() == "ended\n"
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()


@scripted
def test_descriptors_do_not_pile_up() -> None:
    """Servers and connections that have ended leave nothing open."""
    import gc

    def cycle() -> None:
        with serving(Desk) as server:
            conns = gather(*[lambda: client(server)] * 3)
            for conn in conns:
                assert conn.root.add(1, 2) == 3
                conn.close()

    def count() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc here")
    cycle()
    before = count()
    for _ in range(5):
        cycle()
    end = time.monotonic() + DEADLINE
    while count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert count() <= before


def test_the_socket_options_are_rpycs() -> None:
    server = ThreadedServer(Desk, backlog=3, reuse_addr=False, listener_timeout=0.1)
    assert not server.listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    server.close()
