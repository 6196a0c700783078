"""
The checks of a reactor's client, in asyncio's tasks. Not a test file::

    python -m tests.aio.compat_client LOOP SERVERS

``SERVERS`` is JSON: of each server the arguments of `txremote.aio.connect`, under its name, with
``ca`` in place of ``ssl``.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import ssl
import sys
from typing import Any

from tests.aio.loops import run_in
from tests.interop import reactor_client
from tests.interop.peer_processes import Checks
from tests.interop.reactor_client import run_check
from txremote.aio import connect

check = Checks(reactor_client.check)


@check
async def a_time_out_of_asyncios(conn: Any) -> None:
    """It cancels the call, as every end of a task does, and the connection serves on."""
    for limit in (0.05, 0):
        try:
            async with asyncio.timeout(limit):
                await conn.root.later(0.2, ["a reference that nobody gets"])
        except TimeoutError:
            continue
        raise AssertionError("no time-out")
    assert await conn.root.later(0.25, "alive") == "alive"


@check
async def many_tasks(conn: Any) -> None:
    """Each has the answers to its own calls."""

    async def ask(number: int) -> list[int]:
        return [await conn.root.add(number, more) for more in range(5)]

    found = await asyncio.gather(*map(ask, range(20)))
    assert found == [[number + more for more in range(5)] for number in range(20)]


def arguments(server: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return how to connect to a server."""
    words = dict(server)
    authority = words.pop("ca", None)
    if authority is not None:
        words["ssl"] = ssl.create_default_context(cafile=authority)
    return words.pop("at"), words


async def ask(name: str, server: dict[str, Any]) -> None:
    """Run all checks against a server, and say how each went."""
    places, words = arguments(server)
    if "ThreadPoolServer" in name:
        # RPyC's own thread pool may take 0.1 s to notice a request, so it gets all the checks at
        # once, each over a connection of its own
        async def alone(which: str) -> str:
            async with connect(*places, **words) as conn:
                return await run_check(conn, which, check)

        whys = await asyncio.gather(*map(alone, check))
    else:
        conn = await connect(*places, **words)
        whys = [await run_check(conn, which, check) for which in check]
        await conn.close()
    for which, why in zip(check, whys, strict=True):
        print(f"FAILED: {name}: {which}\n{why}" if why else f"ok: {name}: {which}")


async def main(servers: dict[str, Any]) -> None:
    """Ask all servers."""
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: print("TROUBLE", what))
    few = asyncio.Semaphore(3)  # some checks are about times: no turn may take long

    async def in_turn(name: str) -> None:
        async with few:
            await ask(name, servers[name])

    await asyncio.gather(*map(in_turn, servers))


if __name__ == "__main__":
    faulthandler.dump_traceback_later(45, exit=True)  # a hang shall say where
    run_in(sys.argv[1], lambda: main(json.loads(sys.argv[2])))
    print("reactor" if "twisted.internet.reactor" in sys.modules else "no reactor")
