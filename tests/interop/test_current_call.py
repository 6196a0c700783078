"""
Whose call it is, and whose context variables, under each driver with an asyncio loop.

asyncio reads a socket in the context in which that was arranged. So a connection to another server
that was opened for one client is read in that client's context, also where its answers are for
others. The program runs in a process of its own, and has two clients.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
import contextvars
import sys

driver, kind = sys.argv[1:]
loop = asyncio.new_event_loop()
if kind == "uvloop":
    import uvloop

    loop = uvloop.new_event_loop()
if driver == "reactor":
    from twisted.internet import asyncioreactor

    asyncioreactor.install(loop)

from twisted.internet.defer import Deferred

from txremote import Service, async_, current_call, exposed, threaded

if driver == "reactor":
    from twisted.internet.task import react
    from txremote import connect, listen
else:
    from txremote.aio import connect, listen

NAME = contextvars.ContextVar("name", default="nobody")


def caller():
    try:
        return current_call().peer.port, NAME.get()
    except RuntimeError:
        return None, NAME.get()


class Back(Service):
    @exposed
    def answer(self):
        return 1


class Front(Service):
    back = None

    @exposed
    async def open(self, where):
        Front.back = await connect(where)

    @exposed
    def named(self, name):
        NAME.set(name)

    @exposed
    def plain(self):
        return caller()

    @exposed
    async def coroutine(self):
        await Front.back.root.answer()
        return caller()

    @exposed
    async def result_of_async_(self):
        await async_(Front.back.root.answer)()
        return caller()

    @exposed
    async def task(self):
        async def inner():
            await Front.back.root.answer()
            return caller()

        return await asyncio.create_task(inner())

    @exposed
    async def twisted_s(self):
        async def inner():
            await Front.back.root.answer()
            return caller()

        return await Deferred.fromCoroutine(inner())

    @exposed
    async def of_asyncio_s_thread(self):
        return await asyncio.to_thread(caller)

    @exposed
    @threaded
    def of_our_thread(self):
        return caller()

    @exposed
    async def generated(self):
        await asyncio.sleep(0)
        yield caller()

    @exposed
    def callback(self):
        return Front.back.root.answer().addCallback(lambda _answer: caller())

    @exposed
    def callback_of_the_loop(self):
        later = Deferred()
        loop.call_soon(lambda: later.callback(caller()))
        return later


class Lanes(Service):
    threaded_service = True

    @exposed
    def named(self, name):
        NAME.set(name)

    @exposed
    def in_lane(self):
        return caller()

    @exposed
    async def coroutine_of_lane(self):
        await Front.back.root.answer()
        return caller()


async def served(service):
    port = await listen("tcp:0:interface=127.0.0.1", service)
    number = port.getHost().port if driver == "reactor" else port.port
    return f"tcp:127.0.0.1:{number}"


async def tell(where, names):
    clients = [await connect(where) for _ in "AB"]
    ports = [client.transport.getHost().port for client in clients]
    if "plain" in names:
        await clients[0].root.open(await served(Back))
    for client, name in zip(clients, "AB"):
        await client.root.named(name)
    for name in names:
        for client, port, mine in zip(clients, ports, "AB"):
            found = await client.root.callRemote(name)
            if type(found) is not tuple:
                found = [each async for each in found][0]
            print(name, found == (port, mine) or found)


async def main(_reactor=None):
    await tell(await served(Front), [
        "plain", "coroutine", "result_of_async_", "task", "twisted_s", "of_asyncio_s_thread",
        "of_our_thread", "generated", "callback", "callback_of_the_loop",
    ])
    await tell(await served(Lanes), ["in_lane", "coroutine_of_lane"])


if driver == "reactor":
    react(lambda reactor: Deferred.fromCoroutine(main()))
else:
    loop.run_until_complete(main())
"""

#: A callback that nobody awaits is no call's, as under any reactor.
NOBODY = "(None, 'nobody')"
OTHERS = {"callback": NOBODY}
NAMES = """
    plain coroutine result_of_async_ task twisted_s of_asyncio_s_thread of_our_thread generated
    callback callback_of_the_loop in_lane coroutine_of_lane
""".split()


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
@pytest.mark.parametrize("driver", ["reactor", "aio"])
def test_no_client_s_call_runs_as_another_s(driver: str, kind: str) -> None:
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, driver, kind],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    expected = [f"{name} {OTHERS.get(name, True)}" for name in NAMES for _ in "AB"]
    assert ran.stdout.splitlines() == expected, ran.stderr
