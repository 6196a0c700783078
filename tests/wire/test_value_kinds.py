"""
The kinds of values beside containers and records: each arrives as it is.
"""

from __future__ import annotations

import array
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import pytest

from tests.wire.extended import References, decoded, encoded, sent
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire import value_kinds
from txremote.wire.record import KIND_OTHER, make_record
from txremote.wire.value_kinds import LOADERS, Dumper, Loader

VALUES = [
    deque(),
    deque([1, [2]], maxlen=5),
    bytearray(b"abc"),
    bytearray(),
    range(3),
    range(10, -(10**30), -7),
    array.array("d", [1.5, -0.0]),
    array.array("q", [1, -(2**63)]),
    array.array("u", "text"),
    OrderedDict(b=1, a=[2]),
    defaultdict(list, a=[1]),
    defaultdict(None, {1: 2}),
    Counter("hello"),
    Counter(a=-1, b=0),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_arrives_as_it_is(value: Any) -> None:
    found = sent([value, value])
    assert found[0] == value
    assert type(found[0]) is type(value)
    assert repr(found[0]) == repr(value)
    if type(value) is not range:
        assert found[0] is found[1]


def test_the_order_of_items_is_kept() -> None:
    assert list(sent(OrderedDict.fromkeys("zay"))) == ["z", "a", "y"]
    assert list(sent(Counter("zay"))) == ["z", "a", "y"]
    assert sent(deque([1], maxlen=3)).maxlen == 3


def test_a_deque_that_holds_itself_is_refused() -> None:
    value: Any = deque()
    value.append(value)
    with pytest.raises(NotSendable, match="a deque that holds itself"):
        encoded(value)


@pytest.mark.parametrize("value", [defaultdict(lambda: 1)])
def test_what_cannot_be_kept_is_refused(value: Any) -> None:
    with pytest.raises(NotSendable, match="send dict"):
        encoded(value)


@pytest.mark.parametrize("code", LOADERS)
@pytest.mark.parametrize(
    "part", [None, True, "x", b"x", 2**70, -1, 1.5, (), [], {}, {1}, frozenset()], ids=repr
)
def test_a_payload_of_wrong_parts_is_refused_or_a_value(code: int, part: Any) -> None:
    """Nothing but an error of the protocol comes out, whatever stands where."""
    for count in range(10):
        payload = encoded((part,) * count)
        try:
            decoded(b"\xf1" + encoded(code) + payload)
        except RemoteProtocolError:
            pass


class Plugged:
    """A class of another package."""


def test_other_kinds_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_kinds, "_finders", {})
    for code in (90, 91):
        monkeypatch.delitem(LOADERS, code, raising=False)
        monkeypatch.setitem(LOADERS, code, LOADERS[0])
    seen = []

    def load(payload: Any) -> Any:
        seen.append(payload)
        return value_kinds.NOT_HERE if payload[0] == "absent" else bytes(payload[1])

    value_kinds.plug(
        ["tests"],
        lambda kind: Dumper(90, lambda value: value.payload) if kind is Plugged else None,
        {90: Loader("Plugged", ("name", "buffer"), load, takes_views=True)},
    )
    value: Any = Plugged()
    buffer = memoryview(b"x" * 1000)
    value.payload = ("here", buffer)
    out: list[Any] = []
    value_kinds_dump(out, value)
    assert any(chunk is buffer for chunk in out)
    assert decoded(b"".join(out)) == b"x" * 1000
    assert type(seen[0][1]) is memoryview
    value.payload = ("absent", b"y")
    assert sent(value) == make_record(KIND_OTHER, "Plugged", {"name": "absent", "buffer": b"y"})


def value_kinds_dump(out: list[Any], value: Any) -> None:
    from txremote.wire.values import dump_extended

    dump_extended(out, value, References())
