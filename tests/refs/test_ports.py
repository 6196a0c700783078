"""
What refs ask of their connection's executor, by each kind that there is.
"""

from __future__ import annotations

import threading

from tests.blocking.script_threads import linked, scripted
from txremote.blocking import Service
from txremote.refs.ports import RequestContext
from txremote.testing import connected_pair


def test_a_connection_in_memory_is_its_own_context() -> None:
    executor: RequestContext = connected_pair().client.executor
    threads: list[int] = []
    executor.submit(lambda: threads.append(threading.get_ident()))
    assert threads == [threading.get_ident()]


@scripted
def test_a_scripts_connection_is_entered_under_its_lock() -> None:
    with linked(Service) as conn:
        executor: RequestContext = conn.protocol.executor
        entered: list[bool] = []
        executor.submit(lambda: entered.append(conn._pump.entered))
        assert entered == [True]
        assert not conn._pump.entered
