"""Which reactor is meant where none is given."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import Clock

from txremote.eventloop.reactor import chosen_reactor


def test_the_one_that_is_given_is_meant() -> None:
    clock = Clock()
    assert chosen_reactor(clock) is clock  # type: ignore[comparison-overlap, arg-type]


def test_else_the_one_that_the_program_runs() -> None:
    assert chosen_reactor(None) is reactor
