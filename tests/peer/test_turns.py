"""
`Turns`: steps are taken one in each turn of the reactor, one work after the other.
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


def test_one_work_is_done_before_the_next_begins() -> None:
    """Works that all went on together would all hold memory; one that is added meanwhile waits."""
    clock = Clock()
    turns = Turns(clock)
    taken: list[str] = []

    def work(name: str, steps: int) -> None:
        def step() -> bool:
            taken.append(name)
            if taken == ["a"]:
                work("c", 1)
            return taken.count(name) < steps

        turns.add(step)

    work("a", 3)
    work("b", 2)
    clock.pump([0] * 6)
    assert "".join(taken) == "aaabbc"
    assert turns.idle


def test_a_reactor_has_one() -> None:
    clock = Clock()
    assert turns_of(clock) is turns_of(clock)
