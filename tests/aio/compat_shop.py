"""
The shop of the interop tests, served by `txremote.aio`. Not a test file::

    python -m tests.aio.compat_shop LOOP KEY CERTIFICATE SOCKET

Says where it is, and serves on TCP, TLS (by an `ssl.SSLContext`, and by Twisted's) and a UNIX
socket until it gets SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from typing import Any

from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from tests.aio.loops import run_in
from tests.interop import shop_hosted
from txremote import async_
from txremote.aio import listen


class Shop(shop_hosted.Shop):
    """What waits, or comes later, does so in asyncio's loop."""

    async def exposed_later(self, seconds: float, value: Any) -> Any:
        await asyncio.sleep(seconds)
        return value

    def exposed_subscribe(self, listener: Any, count: int) -> None:
        """Fire so many events after this call has been answered."""

        def fire() -> None:
            for number in range(count):
                async_(listener)(number)

        asyncio.get_running_loop().call_soon(fire)


async def main(key: str, certificate: str, path: str) -> None:
    """Serve until the signal comes."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    loop.set_exception_handler(lambda _loop, what: print("TROUBLE#error]", what))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    place = "tcp:0:interface=127.0.0.1"
    servers = {
        "tcp": await listen(place, Shop),
        "context": await listen(place, Shop, ssl=context),
        "ssl": await listen(
            f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}", Shop
        ),
        "unix": await listen(f"unix:{path}", Shop),
    }
    for name in ("tcp", "context", "ssl"):
        print(f"serves {name} {servers[name].port}", flush=True)
    print("serves unix", flush=True)
    await end.wait()
    for server in servers.values():
        await server.close()
    assert not any(server.connections for server in servers.values())


if __name__ == "__main__":
    only = [LogLevelFilterPredicate(LogLevel.warn)]
    observer = FilteringLogObserver(textFileLogObserver(sys.stdout), only)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    run_in(sys.argv[1], lambda: main(*sys.argv[2:]))
    print(
        "ended with a reactor"
        if "twisted.internet.reactor" in sys.modules
        else "ended without a reactor"
    )
