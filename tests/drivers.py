"""
A plugin of pytest that runs tests of a reactor over the driver of `txremote.aio`.

Not a test file::

    python -m pytest -p tests.drivers --reactor=aio tests/net
    python -m pytest -p tests.drivers --reactor=aio-uvloop tests/net

The tests, and the servers that they write themselves, live in Twisted's asyncio reactor as
always. All of txremote that asks which reactor is meant (`chosen_reactor`) gets an `AsyncioLoop`
on that reactor's loop instead: connections that txremote dials or accepts by a description go
through asyncio's transports. At the end the run says how many did, and fails where none has.
That no reactor is needed is tested elsewhere, in processes that have none.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted

from tests import reactors

pytest_plugins = ("tests.reactors",)

#: What ``--reactor`` takes besides, and the reactor that the tests live in then.
DRIVERS = {"aio": "asyncio", "aio-uvloop": "uvloop"}

#: The environment variable that has the name of the driver, for processes that tests start.
DRIVER = "TXREMOTE_TEST_DRIVER"

#: Marks a test that looks into the reactor itself, for what the driver keeps elsewhere.
of_a_reactor = pytest.mark.skipif(f"{DRIVER!r} in os.environ", reason="a reactor's own")

#: How many connections went through asyncio's transports, in this process.
made: Counter[str] = Counter()


def install(name: str) -> None:
    """Install the reactor that this driver is tried in, and have txremote go by the driver."""
    os.environ[DRIVER] = name
    reactors.install(DRIVERS[name])
    from twisted.internet import reactor

    drive(reactor)


def drive(reactor: Any) -> None:
    """Have all of txremote that asks for the running reactor get the driver on its loop."""
    from txremote.aio.loop import AsyncioLoop
    from txremote.aio.transport import ConnectionTransport
    from txremote.eventloop import reactor as place

    loop = reactor._asyncioEventloop
    asked = place.chosen_reactor

    def driver() -> AsyncioLoop:
        # as AsyncioLoop.current does; which loop runs is hidden from tests that are no coroutines
        if not hasattr(loop, "_txremote_loop"):
            loop._txremote_loop = AsyncioLoop(loop)
        found: AsyncioLoop = loop._txremote_loop
        return found

    def chosen(given: Any) -> Any:
        return driver() if given is None or given is reactor else asked(given)

    for module in list(sys.modules.values()):  # what is imported later finds it in its place
        if getattr(module, "chosen_reactor", None) is asked:
            module.chosen_reactor = chosen  # type: ignore[attr-defined]

    begin = ConnectionTransport.connection_made

    def counted(self: Any, transport: Any) -> None:
        made["connections"] += 1
        begin(self, transport)

    ConnectionTransport.connection_made = counted  # type: ignore[method-assign]


for _name in DRIVERS:
    pytest_twisted.reactor_installers[_name] = lambda name=_name: install(name)


@pytest.hookimpl(hookwrapper=True)
def pytest_terminal_summary(terminalreporter: Any) -> Iterator[None]:
    """Say what the run was about."""
    yield
    terminalreporter.write_line(f"{made['connections']} connections over txremote.aio")
