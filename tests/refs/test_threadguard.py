"""
What a blocking call checks before it blocks.
"""

from __future__ import annotations

import sys

import pytest

from tests.blocking.script_threads import Script, scripted
from txremote import WouldBlockReactor
from txremote.refs.threadguard import check_stack, refuse_in_reactor


def test_blocking_is_refused_in_the_reactors_thread_alone() -> None:
    with pytest.raises(WouldBlockReactor, match=r"txremote.connect\(\) there, or"):
        refuse_in_reactor()
    Script(refuse_in_reactor).result()


@scripted
def test_a_call_is_refused_where_the_stack_has_no_room_for_it() -> None:
    """Rather than in the middle of a frame on its way."""

    def at(frames: int) -> None:
        if frames:
            at(frames - 1)
        else:
            check_stack()

    at(0)
    at(sys.getrecursionlimit() // 2)
    with pytest.raises(RecursionError):
        at(sys.getrecursionlimit() - 50)
