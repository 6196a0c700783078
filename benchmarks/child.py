"""
What runs in a contestant's process: its server or its client.

``python -m benchmarks.child MODULE serve|connect ARGUMENTS``, with the arguments
as JSON. Commands come in on standard input, a line of JSON each, ``[name,
arguments]``; answers go out on standard output, ``{"ok": value}`` or ``{"error":
traceback}``. The first answer is unasked: a server's address, a client's None.

A client obeys with the methods of what its module's ``connect`` gives, a server
with the functions of its module. A module with ``REACTOR = True`` works with
Deferreds and coroutines, another blocks. Any process knows ``cpu``: the seconds
of processor time that it has used; and ``ended``: those of the processes that it
had started and that have ended.

The one rule: when standard input ends, the process ends, whatever it is doing.
So nothing is left behind, however the harness itself came to its end. What it
has started ends with it: the worker processes of a pool.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us have."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS says "unlimited" and does not mean it
        return


class Channel:
    """The way to the harness and back."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def ok(self, value: Any = None) -> None:
        """Answer a command."""
        self._out.write(json.dumps({"ok": value}) + "\n")
        self._out.flush()

    def error(self, text: str) -> None:
        """Answer that a command has failed."""
        self._out.write(json.dumps({"error": text}) + "\n")
        self._out.flush()

    def listen(self, obey: Callable[[str, list[Any]], object]) -> None:
        """Hand over each command as it comes, from a thread; leave when they end."""

        def read() -> None:
            for line in sys.stdin:
                name, arguments = json.loads(line)
                if name == "cpu":
                    self.ok(time.process_time())
                elif name == "ended":
                    times = os.times()
                    self.ok(times.children_user + times.children_system)
                else:
                    obey(name, arguments)
            end()

        threading.Thread(target=read, daemon=True).start()


def end() -> None:
    """End this process and those that it has started."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():  # the harness sees to that
        os.killpg(0, signal.SIGTERM)
    os._exit(0)


def run_reactor(module: Any, role: str, arguments: list[Any], channel: Channel) -> None:
    """Be a contestant that lives in a reactor."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, ensureDeferred

    running: Any = reactor
    target: Any = module

    async def start() -> None:
        nonlocal target
        try:
            if role == "serve":
                channel.ok(await module.listen(running, *arguments))
            else:
                target = await module.connect(running, *arguments)
                channel.ok()
        except Exception:  # whatever it is, the harness has to hear of it
            channel.error(traceback.format_exc())

    async def obey(name: str, given: list[Any]) -> None:
        try:
            result = getattr(target, name)(*given)
            if isinstance(result, Deferred) or hasattr(result, "__await__"):
                result = await result
            channel.ok(result)
        except Exception:  # as above
            channel.error(traceback.format_exc())

    channel.listen(
        lambda name, given: running.callFromThread(lambda: ensureDeferred(obey(name, given)))
    )
    running.callWhenRunning(lambda: ensureDeferred(start()))
    running.run()


def run_asyncio(module: Any, role: str, arguments: list[Any], channel: Channel) -> None:
    """Be a contestant that lives in a loop of asyncio's."""
    import asyncio

    target: Any = module
    working: set[asyncio.Task[None]] = set()

    async def obey(name: str, given: list[Any]) -> None:
        try:
            result = getattr(target, name)(*given)
            if hasattr(result, "__await__"):
                result = await result
            channel.ok(result)
        except Exception:  # whatever it is, the harness has to hear of it
            channel.error(traceback.format_exc())

    async def begin() -> None:
        nonlocal target
        loop = asyncio.get_running_loop()

        def start(name: str, given: list[Any]) -> None:
            task = loop.create_task(obey(name, given))
            working.add(task)
            task.add_done_callback(working.discard)

        channel.listen(lambda *command: loop.call_soon_threadsafe(start, *command))
        try:
            if role == "serve":
                channel.ok(await module.listen(*arguments))
            else:
                target = await module.connect(*arguments)
                channel.ok()
        except Exception:  # as above
            channel.error(traceback.format_exc())
        await loop.create_future()  # `end` ends it

    if module.LOOP == "uvloop":
        import uvloop

        uvloop.run(begin())
    else:
        asyncio.run(begin())


def run_blocking(module: Any, role: str, arguments: list[Any], channel: Channel) -> None:
    """Be a contestant that blocks."""
    commands: queue.SimpleQueue[tuple[str, list[Any]]] = queue.SimpleQueue()
    channel.listen(lambda name, given: commands.put((name, given)))
    try:
        if role == "serve":
            module.serve(channel.ok, *arguments)
            return
        target = module.connect(*arguments)
    except Exception:  # whatever it is, the harness has to hear of it
        channel.error(traceback.format_exc())
        return
    channel.ok()
    while True:
        name, given = commands.get()
        try:
            channel.ok(getattr(target, name)(*given))
        except Exception:  # as above
            channel.error(traceback.format_exc())


def main() -> None:
    """Be what the command line says."""
    name, role, arguments = sys.argv[1:]
    # what a library prints must not get between the answers
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    raise_file_limit()
    channel = Channel(out)
    try:
        module: Any = importlib.import_module(name)
    except Exception:  # a broken contestant is a result too
        channel.error(traceback.format_exc())
        return
    run = run_reactor if getattr(module, "REACTOR", False) else run_blocking
    if hasattr(module, "LOOP"):
        run = run_asyncio
    run(module, role, json.loads(arguments), channel)


if __name__ == "__main__":
    main()
