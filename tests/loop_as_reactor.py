"""
A plugin of pytest that puts the loop of `txremote.aio` in the place of the program's reactor.

Not a test file::

    python -m pytest -p tests.loop_as_reactor --reactor=aio-loop tests/work tests/tasks
    python -m pytest -p tests.loop_as_reactor --reactor=aio-loop-uvloop tests/work tests/tasks

So the tests of pools and tasks, which ask for ``twisted.internet.reactor``, are run by an asyncio
loop. What turns that loop is Twisted's asyncio reactor, since pytest-twisted wants one.
"""

from __future__ import annotations

import sys

import pytest_twisted
import twisted.internet

from tests import reactors

pytest_plugins = ("tests.reactors",)

#: What ``--reactor`` takes besides, and the reactor that turns the loop.
LOOPS = {"aio-loop": "asyncio", "aio-loop-uvloop": "uvloop"}


def install(name: str) -> None:
    """Install a reactor, and its loop in its place."""
    reactors.install(LOOPS[name])  # type: ignore[no-untyped-call]
    from twisted.internet import reactor

    from txremote.aio.loop import AsyncioLoop
    from txremote.work.running import running_pools

    loop = reactor._asyncioEventloop  # type: ignore[attr-defined]
    found = loop._txremote_loop = AsyncioLoop(loop)
    found.pools = running_pools  # where the tests look
    found._asyncioEventloop = loop  # as Twisted's asyncio reactor has it: this is the program's
    sys.modules["twisted.internet.reactor"] = found  # type: ignore[assignment]
    twisted.internet.reactor = found  # type: ignore[assignment]


for _name in LOOPS:
    pytest_twisted.reactor_installers[_name] = lambda name=_name: install(name)
