"""
A reactor's driver: other threads wait for what it brings, its own does not.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from txremote import AsyncResult, AsyncResultTimeout, IAsyncResult, WouldBlockReactor
from txremote.refs.driver import ReactorDriver


@pytest_twisted.inlineCallbacks
def test_waiting_in_the_reactors_own_thread_says_what_to_do_instead() -> Any:
    result = IAsyncResult(deferLater(reactor, 0.01, lambda: 7))
    with pytest.raises(WouldBlockReactor, match=r"await.*yield.*add_callback.*stop the reactor"):
        result.value
    with pytest.raises(WouldBlockReactor):
        result.wait()
    assert not result.ready  # looking is always allowed
    assert (yield result.deferred) == 7
    assert result.value == 7


@pytest_twisted.inlineCallbacks
def test_another_thread_may_wait_for_what_the_reactor_brings() -> Any:
    result = IAsyncResult(deferLater(reactor, 0.01, lambda: 7))
    assert (yield deferToThread(lambda: result.value)) == 7
    failing = IAsyncResult(deferLater(reactor, 0.01, lambda: 1 // 0))
    with pytest.raises(ZeroDivisionError):
        yield deferToThread(lambda: failing.value)


@pytest_twisted.inlineCallbacks
def test_a_waiting_thread_is_woken_by_the_expiry() -> Any:
    result = IAsyncResult(Deferred())
    fired_in: list[Any] = []
    result.add_callback(lambda _result: fired_in.append(threading.get_ident()))

    def work() -> None:
        result.set_expiry(0.02)
        with pytest.raises(AsyncResultTimeout):
            result.wait()

    yield deferToThread(work)
    assert result.expired
    assert len(fired_in) == 1


def test_without_a_reactor_waiting_is_refused_and_none_is_installed() -> None:
    """A result that belongs to nothing could never come."""
    code = """
import sys
from twisted.internet.defer import Deferred
from txremote.refs.asyncresult import AsyncResult
from txremote.errors import WouldBlockReactor
result = AsyncResult(Deferred())
try:
    result.wait()
except WouldBlockReactor as error:
    assert "no reactor is running" in str(error), error
else:
    raise SystemExit("it waited")
result.set_expiry(0)
assert result.expired
assert "twisted.internet.reactor" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_the_drivers_clock_may_be_a_fake() -> None:
    clock = Clock()
    result = AsyncResult(Deferred(), ReactorDriver(clock))
    result.set_expiry(1)
    clock.advance(1)
    assert result.expired
