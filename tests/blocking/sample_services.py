"""
Services, and ways to time what they do, for the tests of the pump and its parts.

Not a test file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred

import txremote.blocking as rpyc
from tests.blocking.script_threads import wait_until

#: Less than a hang, more than a busy machine needs for a moment's work.
SOON = 5.0

MEBI = 1 << 20


class Desk(rpyc.Service):
    """A bit of everything."""

    def exposed_add(self, a: Any, b: Any) -> Any:
        return a + b

    def exposed_same(self, value: Any) -> Any:
        return value

    def exposed_call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def exposed_chain(self, left: int, function: Any) -> int:
        return 1 + function(left - 1) if left else 0

    def exposed_fail(self) -> None:
        raise ValueError("as asked")

    def exposed_begin(self, function: Any) -> Any:
        return rpyc.async_(function)(20)


class Later(rpyc.Service):
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.due: dict[str, Deferred[Any]] = {}
        self.kept: list[Any] = []
        self.gone: list[Any] = []

    def on_disconnect(self, conn: Any) -> None:
        self.gone.append(conn)

    def exposed_later(self, name: str) -> Deferred[Any]:
        self.due[name] = Deferred()
        return self.due[name]

    def exposed_keep(self, *functions: Any) -> None:
        self.kept += functions


@contextmanager
def one_write(conn: Any) -> Iterator[None]:
    """Have everything that is written inside arrive at the peer at once."""
    pump = conn._pump
    flush, pump.io.flush = pump.io.flush, lambda *args: None
    try:
        yield
    finally:
        pump.io.flush = flush
        out = pump.io.transport.out
        data = b"".join(out)
        out.clear()
        out.append(data)
        pump.io.flush()


def keep(conn: Any, remote: Any, *functions: Callable[..., Any]) -> None:
    """Give some functions to a `Later` service that nobody serves."""
    given = rpyc.async_(conn.root.keep)(*functions)
    remote.poll_all(0.05)
    wait_until(lambda: remote.poll_all() is False)
    assert given.value is None
