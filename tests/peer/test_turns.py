"""
`Turns`: steps are taken one in each turn of the reactor, of each work in its turn.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from tests.peer.pairs import logged
from txremote.peer.turns import Turns, turns_of


def test_a_step_that_fails_takes_no_turns_from_others() -> None:
    clock = Clock()
    turns = Turns(clock)
    taken: list[int] = []

    def fails() -> bool:
        raise RuntimeError("a defect")

    def works() -> bool:
        taken.append(1)
        return len(taken) < 3

    turns.add(fails)
    turns.add(works)
    with logged() as log:
        clock.pump([0] * 5)
    assert len(taken) == 3
    assert turns.idle
    assert "a defect" in log.text()


def test_a_reactor_has_one() -> None:
    clock = Clock()
    assert turns_of(clock) is turns_of(clock)
