"""
RPyC's forks and old versions on the package index, which write references otherwise
than RPyC 5 and 6: real processes of them, in both roles. Each connection is refused in
words that name the fork where the wire shows it, and nothing hangs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import pytest_twisted
import rpyc
from twisted.internet.threads import deferToThread

import txremote.blocking
from tests.conftest import fetched
from tests.interop.peer_processes import Hosted, Program
from txremote import RemoteProtocolError, connect
from txremote.wire.consts import HANDLE_GETATTR

_SERVER = """
import sys
from importlib import import_module
fork = import_module(sys.argv[1])
servers = import_module(sys.argv[1] + ".utils.server")
class Shop(fork.Service):
    def exposed_price(self): return 1.25
    async def exposed_later(self): return 2.5
server = servers.ThreadedServer(Shop, hostname="127.0.0.1")
server._listen() if hasattr(server, "_listen") else server.listener.listen(5)
print("port", server.port, flush=True)
server.start()
"""

_CLIENT = """
import sys
from importlib import import_module
fork = import_module(sys.argv[1])
try:
    conn = fork.connect("127.0.0.1", int(sys.argv[2]), config={"sync_request_timeout": 10})
    print("value", conn.root.total([1, 2]))
except BaseException as error:
    print(f"{type(error).__name__}: {error}", flush=True)
"""

_ASYNC_CLIENT = """
import asyncio, sys
import rpyc_async
async def main():
    conn = await rpyc_async.async_connect("127.0.0.1", int(sys.argv[2]), timeout=10)
    print("value", await conn.root.total([1, 2]))
try:
    asyncio.run(asyncio.wait_for(main(), 20))
except BaseException as error:
    print(f"{type(error).__name__}: {error}", flush=True)
"""


@pytest.fixture(scope="module")
def forks() -> dict[str, Path]:
    """Where the forks are, by the name that they are imported by."""
    found = {}
    for name, module, version in (
        ("rpyc-ng", "rpyc", "7.0.15"),
        ("rpyc-async", "rpyc_async", "1.1.0"),
        ("portapyc", "portapyc", "3.3.0.post4"),
    ):
        folder = fetched(name, version, module)
        if isinstance(folder, str):
            pytest.skip(f"{name} {version} is not to be had here: {folder}")
        found[module] = folder
    return found


def _started(code: str, folder: Path, *words: str) -> Program:
    return Program([sys.executable, "-c", code, *words], env={"PYTHONPATH": str(folder)})


@pytest_twisted.ensureDeferred
async def test_a_server_of_rpyc_ng_is_named_in_the_error_at_connect(forks):
    server = _started(_SERVER, forks["rpyc"], "rpyc")
    try:
        port = int((await deferToThread(server.wait_for, r"port (\d+)"))[0][1])
        with pytest.raises(RemoteProtocolError, match="the peer is rpyc-ng, a fork of RPyC"):
            await connect(f"tcp:127.0.0.1:{port}")

        def in_a_script():
            with pytest.raises(Exception, match="the peer is rpyc-ng, a fork of RPyC"):
                txremote.blocking.connect("127.0.0.1", port).root.price()

        await deferToThread(in_a_script)
    finally:
        server.kill()


@pytest_twisted.ensureDeferred
async def test_plain_functions_of_an_rpyc_async_server_work_and_its_coroutines_name_it(forks):
    server = _started(_SERVER, forks["rpyc_async"], "rpyc_async")
    try:
        port = int((await deferToThread(server.wait_for, r"port (\d+)"))[0][1])
        conn = await connect(f"tcp:127.0.0.1:{port}")
        assert await conn.root.price() == 1.25
        with pytest.raises(RemoteProtocolError, match="the peer is rpyc-async, a fork of RPyC"):
            await conn.request(HANDLE_GETATTR, conn.root, "later")

        def in_a_script():
            conn = txremote.blocking.connect("127.0.0.1", port)
            assert conn.root.price() == 1.25
            with pytest.raises(Exception, match="the peer is rpyc-async, a fork of RPyC"):
                _ = conn.root.later

        await deferToThread(in_a_script)
    finally:
        server.kill()


@pytest.mark.parametrize("code", [_CLIENT, _ASYNC_CLIENT], ids=["connect", "async_connect"])
def test_a_client_of_rpyc_async_reads_why_it_is_refused(forks, code):
    server = Hosted()
    client = _started(code, forks["rpyc_async"], "rpyc_async", str(server.port))
    try:
        client.wait()
        assert "value" not in client.output
        told = "the peer is rpyc-async, a fork of RPyC"
        assert told in client.output, client.output
        server.wait_for(f"broke the protocol: {told}")
    finally:
        client.kill()
        server.kill()


def test_a_client_of_rpyc_ng_stops_by_itself_and_the_server_goes_on(forks):
    """
    It fails at the answer to its first request, which is RPyC's byte for byte, and says
    good-bye: nothing on the wire tells it from an RPyC that changed its mind.
    """
    server = Hosted()
    client = _started(_CLIENT, forks["rpyc"], "rpyc", str(server.port))
    try:
        client.wait()
        assert "IndexError: tuple index out of range" in client.output, client.output
        server.wait_for(r"left after \S+ s, \d+ requests?$")
        stock = rpyc.connect("127.0.0.1", server.port)
        assert stock.ping() is None
        stock.close()
    finally:
        client.kill()
        server.kill()


@pytest_twisted.ensureDeferred
async def test_a_server_of_an_old_rpyc_or_its_port_is_named(forks):
    """portapyc is RPyC 3.3 for Python 3; RPyC 4.0 writes the same."""
    server = _started(_SERVER, forks["portapyc"], "portapyc")
    try:
        port = int((await deferToThread(server.wait_for, r"port (\d+)"))[0][1])
        with pytest.raises(RemoteProtocolError, match=r"the peer is an RPyC before 4\.1"):
            await connect(f"tcp:127.0.0.1:{port}")
    finally:
        server.kill()


def test_a_client_of_an_old_rpyc_or_its_port_reads_why_it_is_refused(forks):
    server = Hosted()
    client = _started(_CLIENT, forks["portapyc"], "portapyc", str(server.port))
    try:
        client.wait()
        assert "the peer is an RPyC before 4.1" in client.output, client.output
    finally:
        client.kill()
        server.kill()
