"""A client that knows a name only, and servers that come and go, with real registries."""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.net.servers import until
from tests.processes import Twistd
from tests.registry.servers import Redis, running_registry
from txremote import ConnectionLost, RemoteClient
from txremote.registry.choosing import registry_from


@pytest.mark.parametrize("kind", ["rpyc", "redis"])
@pytest_twisted.ensureDeferred
async def test_calls_follow_a_name_from_server_to_server(kind: str, tmp_path: Path) -> None:
    """None fails when a server is told to stop; of one that is killed only those that it has."""
    async with AsyncExitStack() as stack:
        if kind == "redis":
            url = stack.enter_context(Redis(tmp_path)).url
        else:
            url = f"rpyc://127.0.0.1:{(await stack.enter_async_context(running_registry())).port}"
        words = ("--register", "Shop", "--registry", url)
        registry = registry_from(url, reactor)

        async def serve() -> Any:
            return stack.enter_context(
                await deferToThread(Twistd, "tests.registry.shop.Shop", *words)
            )

        async def served(count: int) -> None:
            while len(await registry.find("shop")) != count:
                pass

        first = await serve()
        await served(1)
        client = RemoteClient("registry:shop", registry=url, reactor=reactor)
        client.startService()
        stack.push_async_callback(client.stopService)
        assert await client.root.price(1) == 3
        answers: list[int] = []
        calling = True

        async def call() -> None:
            while calling:
                answers.append(await client.root.price(1))

        second = await serve()
        await served(2)
        all_the_time = [ensureDeferred(call()) for _ in range(2)]
        await until(lambda: len(answers) > 10)
        first.signal(signal.SIGTERM)
        await deferToThread(first.finish)
        await served(1)
        before = len(answers)
        await until(lambda: len(answers) > before + 10)
        calling = False
        for each in all_the_time:
            await each
        assert set(answers) == {3}
        third = await serve()
        await served(2)
        second.signal(signal.SIGKILL)
        await deferToThread(second.finish)
        for _ in range(2):  # one that was under way to the killed server has failed, and no more
            try:
                assert await client.root.price(2) == 6
            except ConnectionLost:
                continue
            break
        assert await client.root.price(3) == 9
        assert third.runs
        await registry.close()
