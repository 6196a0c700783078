"""Values that were received, as a reactor's code has them and as a thread has them."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from txremote.refs.received import changed, settled
from txremote.refs.reference import RemoteReference
from txremote.wire.record import Record
from txremote.wire.values import ReceivedValue


def reference() -> RemoteReference:
    return RemoteReference(None, b"key", ("a.B", 1, 2), lambda *_: None)  # type: ignore[arg-type, return-value]


def test_a_reactor_s_code_has_values_as_they_are() -> None:
    """In tuples of any depth."""
    value = [1]
    assert settled(ReceivedValue(value, False, ())) is value
    given = settled((1, (2, ReceivedValue(value, False, ())), "a"))
    assert given == (1, (2, [1]), "a") and given[1][1] is value
    same = (1, ("a", 2))
    assert settled(same) == same


def test_each_reference_is_replaced_wherever_it_stands() -> None:
    """The containers stay those that they are, and what is shared stays shared."""
    ref = reference()
    shared = [ref]
    value: Any = {
        "list": [ref, 1],
        "tuple": (ref, (1, ref)),
        "set": {ref},
        "frozen": frozenset([ref]),
        "deque": deque([ref], 3),
        "ordered": OrderedDict(a=ref),
        "record": Record("Item", callback=ref),
        "shared": (shared, shared),
        ref: 5,
    }
    found: Any = changed(ReceivedValue(value, True, ()), lambda _ref: "N")
    assert found is value
    assert found == {
        "list": ["N", 1],
        "tuple": ("N", (1, "N")),
        "set": {"N"},
        "frozen": frozenset(["N"]),
        "deque": deque(["N"]),
        "ordered": OrderedDict(a="N"),
        "record": Record("Item", callback="N"),
        "shared": (["N"], ["N"]),
        "N": 5,
    }
    assert found["deque"].maxlen == 3
    assert found["shared"][0] is found["shared"][1]


def test_containers_of_this_side_s_that_came_back_are_left_alone() -> None:
    """They are the program's, and others may use them."""
    ref = reference()
    own = [ref]
    found: Any = changed(ReceivedValue([own, ref], True, {id(own)}), lambda _ref: "N")
    assert found == [own, "N"] and found[0] is own and own == [ref]


def test_a_value_is_changed_once() -> None:
    """The second time it is as it was given before."""
    value = ReceivedValue((reference(),), True, ())
    first = changed(value, lambda _ref: "N")
    assert first == ("N",)
    assert changed(value, lambda _ref: "other") is first
