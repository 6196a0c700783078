"""
A drill for operators: a client that calls all the time, and counts the calls that fail.

Serve ``site.toml`` as its first lines say, let the drill run, and replace the server's workers
meanwhile, or kill one of them. Ctrl-C ends the drill, and tells::

    python examples/drill.py tcp:127.0.0.1:18861
"""

import asyncio
import signal
import sys
from collections import Counter

from txremote import aio

#: Seconds between two calls of a client.
PAUSE = 0.02

#: Seconds that a call may wait for a connection; then it has failed.
PATIENCE = 5

#: Clients, each with a connection of its own.
CLIENTS = 5


async def call(client, outcomes):
    """Call without end."""
    while True:
        try:
            await client.root.set("tea", 250)
            outcomes["answered"] += 1
        except Exception as error:  # counted, whatever it is
            outcomes[type(error).__name__] += 1
        await asyncio.sleep(PAUSE)


async def main(endpoint):
    """Call until Ctrl-C."""
    loop, outcomes, stopped = asyncio.get_running_loop(), Counter(), asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, stopped.set)
    clients = [aio.RemoteClient(endpoint, wait_timeout=PATIENCE) for _number in range(CLIENTS)]
    for client in clients:
        client.start()
    calling = [asyncio.create_task(call(client, outcomes)) for client in clients]
    while not stopped.is_set():
        try:
            await asyncio.wait_for(stopped.wait(), 1)
        except TimeoutError:
            print(dict(outcomes), flush=True)
    for task in calling:
        task.cancel()
    await asyncio.wait(calling)
    for client in clients:
        await client.close()
    failed = sum(outcomes.values()) - outcomes["answered"]
    print(f"{outcomes['answered']} calls were answered, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/drill.py ENDPOINT")
    raise SystemExit(asyncio.run(main(sys.argv[1])))
