"""The commands of clients, in turns of a clock."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError

from txremote.contrib.evennia.fairness import turn_of
from txremote.peer.turns import Turns


class Connection:
    """Something that has commands."""


class TurnByTurn:
    """A clock whose calls run one by one: `Clock` runs those that come in a turn in it, too."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def callLater(self, _delay: float, call: Callable[[], object]) -> None:
        """Note it."""
        self.calls.append(call)


def test_one_command_begins_in_a_turn_and_connections_take_turns() -> None:
    """One that is cancelled does not begin."""
    clock = TurnByTurn()
    turns = Turns(clock)  # type: ignore[arg-type]
    begun: list[str] = []
    many, few = Connection(), Connection()
    waiting = {}
    for name, connection in (("a", many), ("b", many), ("c", many), ("d", few)):
        waiting[name] = turn_of(connection, turns)
        waiting[name].addCallback(lambda _none, name=name: begun.append(name))
    waiting["b"].addErrback(lambda failure: failure.trap(CancelledError))
    waiting["b"].cancel()
    seen = []
    while clock.calls:
        clock.calls.pop(0)()
        seen.append("".join(begun))
    assert seen == ["a", "ad", "ad", "adc"]
    again = turn_of(few, turns)
    assert not again.called
    clock.calls.pop(0)()
    assert again.called
