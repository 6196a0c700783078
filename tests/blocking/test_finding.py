"""Scripts, commands and asyncio find a server by its name, in real registries."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

import txremote.blocking as rpyc
from tests.aio.loops import run_in
from tests.blocking.script_threads import run_script
from tests.net.servers import Desk, served
from tests.processes import free_port, run, script
from tests.registry.servers import Redis, running_registry
from txremote import NotServed, RegistryUnreachable, RemoteClient, WouldBlockReactor, aio
from txremote.blocking import finding
from txremote.registry.choosing import registry_from
from txremote.registry.ports import Place


@asynccontextmanager
async def registry_of(way: str, folder: Path) -> AsyncIterator[str]:
    """Run a registry; give its URL."""
    if way == "redis":
        redis = Redis(folder, password="s3cret")
        await deferToThread(redis.start)
        try:
            yield redis.url
        finally:
            redis.kill()
    else:
        async with running_registry() as server:
            yield f"{way}://127.0.0.1:{server.port}"


@pytest.mark.parametrize("way", ["rpyc", "rpyc+tcp", "redis"])
@pytest_twisted.ensureDeferred
async def test_a_server_is_found_by_its_name(way: str, tmp_path: Path) -> None:
    """By a script's connect and reconnecting, in a reactor, in asyncio, by a command."""

    def in_a_script() -> None:
        with pytest.raises(NotServed, match="the registry names no place of nobody"):
            rpyc.connect("registry:nobody", registry=url)
        conn = rpyc.connect("registry:desk", registry=url)
        assert conn.root.count() == 1
        conn.close()
        with rpyc.reconnecting("registry:desk", registry=url) as client:
            assert client.root.count() == 2

    async def with_asyncio() -> None:
        async with aio.connect("registry:desk", registry=url) as conn:
            assert await conn.root.count() == 3
        async with aio.RemoteClient("registry:desk", registry=url) as client:
            assert await client.root.count() == 4

    async with registry_of(way, tmp_path) as url, served(Desk()) as port:
        registry: Any = registry_from(url, reactor)
        entry = registry.register(("Desk",), Place("127.0.0.1", port.getHost().port))
        while not await registry.find("desk"):
            pass
        await run_script(in_a_script)
        await deferToThread(run_in, "stock", with_asyncio)
        client = RemoteClient("registry:desk", registry=url)
        client.startService()
        assert await client.root.count() == 5
        await client.stopService()
        if way == "rpyc":
            words = ("call", "registry:desk", "count", "--registry", url)
            done = await deferToThread(run, script("txremote"), *words)
            assert done == (0, "6\n", "")
        await entry.leave()
        await registry.close()


@pytest_twisted.ensureDeferred
async def test_scripts_try_one_server_after_the_other() -> None:
    """And come back to the one that was reached last."""

    def in_a_script() -> None:
        with rpyc.reconnecting([gone, there], retry_policy=lambda _failures: 0.01) as client:
            assert client.root.count() == 1
            client.connected().close()
            assert client.root.count() == 2
        with (
            rpyc.reconnecting([gone, "tcp:127.0.0.1:1"], wait_timeout=0.5) as client,
            pytest.raises(EOFError, match=r"not sent: .* no server was reached"),
        ):
            client.root.count()

    gone = f"tcp:127.0.0.1:{free_port()}"
    async with served(Desk()) as port:
        there = f"tcp:127.0.0.1:{port.getHost().port}"
        await run_script(in_a_script)


@pytest_twisted.ensureDeferred
async def test_a_redis_that_hangs_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library would try again and again, for half a minute."""

    def in_a_script() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            with pytest.raises(RegistryUnreachable, match="Timeout"):
                finding.find_places("desk", f"redis://127.0.0.1:{silent.getsockname()[1]}")
            silent.accept()[0].close()
            silent.setblocking(False)
            with pytest.raises(BlockingIOError):
                silent.accept()

    monkeypatch.setattr(finding, "TIMEOUT", 0.2)
    await run_script(in_a_script)


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_found_is_said() -> None:
    """Registries that are not there, and a reactor that would wait."""

    def in_a_script() -> None:
        for way in ("rpyc", "rpyc+tcp", "redis"):
            url = f"{way}://127.0.0.1:{free_port()}"
            with pytest.raises(RegistryUnreachable, match=str(url.rpartition(":")[2])):
                rpyc.connect("registry:desk", registry=url)
        with pytest.raises(ValueError, match="a registry can be spoofed"):
            rpyc.reconnecting("registry:desk", registry="rpyc://h", login=("ann", "s3cret"))
        for connect in (rpyc.connect, rpyc.reconnecting):
            with pytest.raises(ValueError, match="registry= goes with registry:NAME"):
                connect("localhost:1", registry="rpyc://h")

    await run_script(in_a_script)
    with pytest.raises(WouldBlockReactor):
        rpyc.connect("registry:desk", registry="rpyc://127.0.0.1")
