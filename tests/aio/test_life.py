"""How a loop's connections live and end with it: each program is a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.aio.loops import LOOPS

_HEAD = """
import asyncio, gc, logging, os, sys, threading
from txremote import ConnectionLost, Service, WrongProcess, WrongThread, async_, exposed
from txremote.aio import RemoteClient, connect, listen

logging.getLogger("txremote").setLevel("ERROR")  # a server that is lost is a warning

class Slow(Service):
    @exposed
    async def never(self):
        await asyncio.sleep(1000)
    @exposed
    def add(self, first, second):
        return first + second

def run(main):
    if sys.argv[1] == "uvloop":
        import uvloop
        return asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main)
    return asyncio.run(main)
"""

#: A loop ends with calls, connections, a server and a client open, twice; nothing is left.
OPEN = """
async def main():
    server = await listen("localhost:0", Slow)
    conn = await connect(server.address)
    client = RemoteClient(server.address)
    client.start()
    await client.connected()
    task = asyncio.ensure_future(ended(conn.root.never()))
    conn.root.never().addErrback(lambda failure: print("ended"))
    await asyncio.sleep(0.05)
    return conn

async def ended(call):
    try:
        await call
    except asyncio.CancelledError:
        print("cancelled")
        raise

for _ in range(2):
    if sys.argv[1] == "uvloop":
        import uvloop
        factory = uvloop.new_event_loop
    else:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        conn = runner.run(main())
    print(conn.closed)
    conn.root.add(1, 2).addErrback(lambda failure: print(failure.type.__name__))
    del conn
    gc.collect()
print([thread.name for thread in threading.enumerate()])
"""
OPEN_SAYS = "cancelled\nended\nTrue\nDeadReferenceError\n" * 2 + "['MainThread']\n"

#: A loop is closed without a word while all is open: nothing is raised or printed.
CLOSED = """
import warnings
if sys.argv[1] == "uvloop":
    import uvloop
    loop = uvloop.new_event_loop()
else:
    loop = asyncio.new_event_loop()
async def main():
    server = await listen("localhost:0", Slow)
    conn = await connect(server.address)
    root = await conn.fetch_root()
    return server, conn, root, conn.root.never()
kept = loop.run_until_complete(main())
warnings.simplefilter("ignore", ResourceWarning)  # asyncio's own, of its transports
loop.close()
del kept
gc.collect()
print("done")
"""

#: Two loops in two threads, one a client of the other; a reference stays in its thread.
TWO = """
there = {}
ready, done = threading.Event(), threading.Event()
async def serve():
    async with listen("localhost:0", Slow) as server, connect(server.address) as conn:
        there["address"], there["conn"] = server.address, conn
        ready.set()
        while not done.is_set():
            await asyncio.sleep(0.01)
thread = threading.Thread(target=lambda: run(serve()))
thread.start()
ready.wait()
async def main():
    async with connect(there["address"]) as conn:
        print(await conn.root.add(1, 2))
        root = there["conn"].root
        try:
            root.add(1, 2)
        except WrongThread as error:
            print("event loop" in str(error))
        print(await async_(root.add)(3, 4))
run(main())
done.set()
thread.join()
"""

#: A forked process has none of it, and its parent goes on.
FORK = """
async def main():
    async with listen("localhost:0", Slow) as server, connect(server.address) as conn:
        child = os.fork()
        if not child:
            try:
                conn.root.add(1, 2)
            except WrongProcess:
                conn.close()
                os._exit(7)
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print(await conn.root.add(1, 2), len(server.connections))
        if not os.fork():
            return  # back to the loop, which ends it
        print(os.waitstatus_to_exitcode(os.wait()[1]))
        print(await conn.root.add(3, 4))
run(main())
"""


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize(
    ("program", "says"),
    [
        pytest.param(OPEN, OPEN_SAYS, id="ends with all open"),
        pytest.param(CLOSED, "done\n", id="is closed with all open"),
        pytest.param(TWO, "3\nTrue\n7\n", id="beside another"),
        pytest.param(FORK, "7\n3 1\n1\n7\n", id="forks"),
    ],
)
def test_a_loop(kind: str, program: str, says: str) -> None:
    """In asyncio's debug mode, and with what was not closed or awaited an error."""
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", _HEAD + program, kind],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.stdout == says
    errors = [
        line
        for line in ended.stderr.splitlines()
        if "it would be a second server" not in line and "took" not in line  # a slow turn
    ]
    assert errors == []
