"""
A zoo of objects and exceptions that make trouble when they are looked at: whatever a
method gives or raises, and whatever is asked of what it gave, its caller hears of it
once and at once, and the connection goes on.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest

from tests.peer.odd_objects import ERRORS, OBJECTS, WAYS, Zoo, is_tried
from tests.peer.pairs import Outcome, Wire, logged
from txremote.refs.reference import RemoteReference
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import (
    HANDLE_BUFFITER,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CMP,
    HANDLE_CTXEXIT,
    HANDLE_DELATTR,
    HANDLE_DIR,
    HANDLE_GETATTR,
    HANDLE_HASH,
    HANDLE_INSPECT,
    HANDLE_INSTANCECHECK,
    HANDLE_OLDSLICING,
    HANDLE_PICKLE,
    HANDLE_REPR,
    HANDLE_SETATTR,
    HANDLE_STR,
    MSG_EXCEPTION,
    MSG_REPLY,
)

SWITCHES: dict[str, dict[str, Any]] = {
    "exposed": {"include_local_traceback": False},
    "traceback": {"include_local_traceback": True},
    "classic": {
        "allow_all_attrs": True,
        "allow_setattr": True,
        "allow_delattr": True,
        "allow_pickle": True,
        "instantiate_custom_exceptions": True,
    },
}
CASES = pytest.mark.parametrize(
    ("role", "switches"), [("server", "exposed"), ("client", "traceback"), ("client", "classic")]
)


class Keeper:
    """Asks one end of a pair from the other, and sees to it that each call ends once."""

    def __init__(self, role: str, switches: str) -> None:
        roots = {f"{role}_root": Zoo}
        self.pair: Pair = connected_pair(**roots, config=SWITCHES[switches])  # type: ignore[arg-type]
        owner, self.asking = self.pair.server, self.pair.client
        if role == "client":
            owner, self.asking = self.asking, owner
        self.zoo: Zoo = owner.service
        self.root = self.pair.result(self.asking.fetch_root())
        self.wire = Wire(owner)
        self.asked = 0

    def ends(self, handler: int, *args: Any) -> Any:
        """Return the result of a request; None where it failed."""
        self.wire.writes.clear()
        asked: Any = self.asking.request(handler, *args)
        outcome = Outcome(asked)
        self.pair.pump()
        if not outcome.fired:
            gate = self.zoo.gate
            self.zoo.gate = type(gate)()
            gate.callback(None)
            gate.addErrback(lambda _failure: None)
            self.pair.advance(0)
            if not outcome.fired:  # a Failure has kept what Twisted met
                gc.collect()
                self.pair.advance(0)
        self.asked += 1
        assert len(outcome.results) == 1, outcome.results
        kinds = (MSG_REPLY, MSG_EXCEPTION)
        sent = self.wire.messages
        answers = [m for m in sent if m.kind in kinds and m.number == asked._number]
        assert len(answers) == 1, answers
        assert not self.asking.closed
        try:
            return outcome.value
        except Exception as error:
            str(error)
            return None

    def give(self, way: str, what: str, kind: str) -> Any:
        """Return what a way of the zoo gives, its generators begun."""
        found = self.ends(HANDLE_CALLATTR, self.root, way, (what, kind), ())
        if way.endswith("generator"):
            for _ in range(3):
                self.ends(HANDLE_BUFFITER, found, 1)
        return found


@CASES
def test_whatever_a_method_gives_its_call_is_answered_once(role: str, switches: str) -> None:
    keeper = Keeper(role, switches)
    with logged():
        for what in OBJECTS:
            for way in WAYS:
                if is_tried(way, what, "object"):
                    keeper.give(way, what, "object")
    assert keeper.asked > 1000
    assert keeper.ends(
        HANDLE_CALLATTR, keeper.root, "plainly", ("a frame", "object"), ()
    ) is None or (switches == "classic")


@CASES
def test_whatever_a_method_raises_its_call_is_answered_once(role: str, switches: str) -> None:
    keeper = Keeper(role, switches)
    with logged():
        for what in ERRORS:
            for way in WAYS:
                if is_tried(way, what, "error"):
                    assert keeper.give(way, what, "error") is None or way.endswith("generator")
    assert keeper.asked > 1000


@CASES
def test_whatever_is_asked_of_an_odd_object_is_answered_once(role: str, switches: str) -> None:
    keeper = Keeper(role, switches)
    with logged():
        for what in OBJECTS:
            it = keeper.give("plainly", what, "object")
            if type(it) is not RemoteReference:
                continue
            for handler, args in _requests(it):
                keeper.ends(handler, *args)
    assert keeper.asked > 500


def _requests(it: Any) -> list[tuple[int, tuple[Any, ...]]]:
    return [
        (HANDLE_REPR, (it,)),
        (HANDLE_STR, (it,)),
        (HANDLE_HASH, (it,)),
        (HANDLE_DIR, (it,)),
        (HANDLE_INSPECT, (it._pack,)),
        (HANDLE_GETATTR, (it, "exposed_x")),
        (HANDLE_GETATTR, (it, "__class__")),
        (HANDLE_GETATTR, (it, "__doc__")),
        (HANDLE_SETATTR, (it, "x", 5)),
        (HANDLE_DELATTR, (it, "x")),
        (HANDLE_CALL, (it, (), ())),
        (HANDLE_CALLATTR, (it, "__repr__", (), ())),
        (HANDLE_CALLATTR, (it, "__format__", ("",), ())),
        (HANDLE_CALLATTR, (it, "__len__", (), ())),
        (HANDLE_CALLPATH, (it, ("x", "__class__"), None, ())),
        (HANDLE_CMP, (it, it, "__eq__")),
        (HANDLE_CMP, (it, 5, "__lt__")),
        (HANDLE_BUFFITER, (it, 5)),
        (HANDLE_CTXEXIT, (it, it)),
        (HANDLE_INSTANCECHECK, (it, it._pack)),
        (HANDLE_OLDSLICING, (it, "__getitem__", "__getslice__", 0, 1, ())),
        (HANDLE_PICKLE, (it, 2)),
    ]


def test_arguments_that_cannot_be_sent_fail_their_own_call() -> None:
    """With a sentence, and nothing is left behind of what went before it."""
    keeper = Keeper("server", "exposed")
    held = len(keeper.asking._tables.exports)
    for what, make in OBJECTS.items():
        try:
            outcome = Outcome(keeper.asking.root.plainly([], make()))
        except KeyboardInterrupt:  # for all we know it is the user's Ctrl-C
            continue
        keeper.pair.pump()
        assert outcome.fired, what
    del outcome
    keeper.pair.advance(1)
    keeper.pair.pump()
    assert len(keeper.asking._tables.exports) == held
