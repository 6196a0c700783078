"""`ScriptDriver` and `ScriptGuard`: how a script waits, and who may send requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

import txremote.blocking as rpyc
from tests.blocking.sample_services import Desk
from tests.blocking.script_threads import by_hand, linked, scripted
from txremote.errors import WrongThread

# --- requests ---------------------------------------------------------------------


@scripted
def test_ctrl_c_in_a_callback_reaches_the_waiting_script() -> None:
    """KeyboardInterrupt is the user's; the peer gets it too, and both go on."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with linked(Desk) as conn:
        with pytest.raises(KeyboardInterrupt):
            conn.root.call(interrupted)
        assert conn.root.add(1, 1) == 2


@scripted
def test_the_answer_to_an_asyncresult_goes_out_though_another_thread_reads() -> None:
    """The result's callbacks run in one thread while another is in the poll."""
    with by_hand(Desk, Desk) as (conn, remote):
        there = [rpyc.BgServingThread(remote) for _ in range(2)]
        for number in range(20):
            assert conn.root.begin(lambda twenty, n=number: twenty + n) == 20 + number
        for thread in there:
            thread.stop()


@scripted
def test_a_loop_has_what_it_awaits_though_another_thread_has_read_it() -> None:
    """That thread was done, and has left the callback queued."""

    class Read:
        pending = False

        def when_ended(self, hook: Callable[[], object]) -> None:
            hook()

    with linked(Desk) as conn:
        driver = conn._executor.driver
        told = threading.Event()
        driver.deliver(told.set)

        async def awaits() -> bool:
            driver.expect(Read())
            return await asyncio.to_thread(told.wait, 10)

        assert asyncio.run(awaits())


@scripted
def test_a_reference_without_its_netref_is_refused_with_a_sentence() -> None:
    """What it wrote would stay where it is."""
    with linked(Desk) as conn:
        with pytest.raises(WrongThread, match="async_"):
            conn.root.____ref__.add(1, 2)
        assert rpyc.async_(conn.root.____ref__.add)(1, 2).value == 3
