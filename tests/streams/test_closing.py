"""An iterator is closed when it is not at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

from txremote.streams.closing import CloseInTurn


def test_one_that_is_not_at_work_is_closed_at_once_and_once() -> None:
    turn, done = CloseInTurn(), list[str]()
    assert turn.step(lambda: "item") == "item"
    turn.close(lambda: done.append("closed"))
    assert turn.step(lambda: "late") == "late"
    assert done == ["closed"]


def test_one_that_is_at_work_is_closed_behind_its_item() -> None:
    turn, done = CloseInTurn(), list[str]()

    def items() -> Iterator[int]:
        try:
            turn.close(generator.close)
            thread = threading.Thread(target=lambda: turn.close(generator.close))
            thread.start()
            thread.join()
            done.append("item")
            yield 1
        finally:
            done.append("finally")

    generator = items()
    assert turn.step(partial(next, generator)) == 1
    assert done == ["item", "finally"]


def test_a_step_that_comes_while_it_closes_is_none() -> None:
    turn, late = CloseInTurn(), list[object]()
    turn.close(lambda: late.append(turn.step(lambda: "item")))
    assert late == [None]
