"""
A server's private reactor: it runs in any thread, and leaves nothing behind.
"""

from __future__ import annotations

import os
import threading

from twisted.python import threadable

from tests.blocking.script_threads import Script
from txremote.blocking.private_reactor import PrivateReactor
from txremote.refs.reactorthread import is_in_reactor


def test_it_runs_in_a_thread_of_its_own_beside_the_programs_reactor() -> None:
    programs = threadable.ioThread
    reactor = PrivateReactor()
    seen: list[object] = []

    def look() -> None:
        seen.extend([reactor.io_thread == threading.get_ident(), is_in_reactor()])
        reactor.stop()

    reactor.callWhenRunning(look)
    Script(reactor.run_here).result()
    assert seen == [True, True]
    assert reactor.io_thread is None
    assert threadable.ioThread == programs


def test_its_descriptors_are_closed_and_it_can_still_be_woken() -> None:
    before = len(os.listdir("/dev/fd"))
    reactor = PrivateReactor()
    reactor.dispose()
    reactor.dispose()
    reactor.wakeUp()
    assert len(os.listdir("/dev/fd")) == before
