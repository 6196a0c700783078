"""
`ReferenceTables`: boxing counts what it hands out, and takes it back where the message
is not sent after all.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, DeferredList, succeed

from txremote import NotSendable
from txremote.config import make_config
from txremote.peer.exports import ExportTable
from txremote.peer.imports import ImportTable
from txremote.peer.references import ReferenceTables
from txremote.refs.reference import RemotePath
from txremote.refs.typed import TypedReference
from txremote.wire.keys import LOCAL_REF_HEAD, REMOTE_REF_HEAD, key_of
from txremote.wire.values import AsValue


class Thing:
    pass


class Owner:
    """Stands for a connection."""

    def __init__(self, is_txremote: bool = True) -> None:
        self.is_txremote = is_txremote

    def make_imports(self) -> ImportTable:
        owner: Any = self
        return ImportTable(owner, None)


def tables_of(owner: Any, most: int = 100) -> ReferenceTables:
    return ReferenceTables(owner, ExportTable(most))


def received(tables: ReferenceTables, number: int = 5) -> Any:
    key = key_of(("a.B", 1, number))
    return tables.unbox_remote(key)


def count_of(tables: ReferenceTables, target: Any) -> int:
    export = tables.exports.of(target)
    return export.count if export is not None else 0


def test_an_object_of_ours_is_boxed_by_reference_and_counted() -> None:
    tables, thing = tables_of(Owner()), Thing()
    out: list[bytes] = []
    tables.box(out, thing)
    assert out[0].startswith(REMOTE_REF_HEAD)
    assert count_of(tables, thing) == 1
    tables.box([], (1, thing, (thing,)))
    assert count_of(tables, thing) == 3


def test_the_peers_own_object_is_boxed_as_its_own() -> None:
    tables = tables_of(Owner())
    reference = received(tables)
    out: list[bytes] = []
    tables.box(out, reference)
    assert out == [LOCAL_REF_HEAD + key_of(("a.B", 1, 5))]
    assert len(tables.exports) == 0


class AnyNames:
    """What a class declares, for a view."""

    name = "Any"
    interface = None

    def names(self) -> list[str]:
        return []

    def read(self, target: object, name: str) -> object:
        return None


def test_a_view_is_boxed_as_the_reference() -> None:
    """The proxy is this side's affair."""
    tables = tables_of(Owner())
    reference = received(tables)
    out: list[bytes] = []
    tables.box(out, (TypedReference(reference, AnyNames()),))
    assert out[-1] == LOCAL_REF_HEAD + key_of(("a.B", 1, 5))
    assert len(tables.exports) == 0
    path = TypedReference(RemotePath(reference, ("a",)), AnyNames())
    with pytest.raises(NotSendable, match="a path is not its value"):
        tables.box([], path)


def test_a_third_peers_object_is_boxed_as_ours() -> None:
    tables = tables_of(Owner())
    foreign = received(tables_of(Owner()))
    out: list[bytes] = []
    tables.box(out, foreign)
    assert out[0].startswith(REMOTE_REF_HEAD)
    assert tables.exports.of(foreign) is not None


@pytest.mark.parametrize("is_txremote", [True, False])
def test_ids_of_third_peers_classes_are_kept_where_they_last(is_txremote: bool) -> None:
    """A stock RPyC's are addresses, and mean another class once it has freed one."""
    tables, owner = tables_of(Owner()), Owner(is_txremote)
    theirs = tables_of(owner)
    ids = set()
    for number in (5, 6, 7):
        foreign = received(theirs, number)
        tables.box([], foreign)
        ids.add(tables.exports.of(foreign).pack[1])  # type: ignore[union-attr]
    assert len(ids) == (1 if is_txremote else 3)


UNSENDABLE: dict[str, Any] = {
    "a lone surrogate": "\ud800",
    "a huge int": 10**5000,
    "a deep tuple": None,
    "a Deferred": Deferred(),
    "a DeferredList": DeferredList([succeed(1)]),
}
deep: Any = ()
for _ in range(200):
    deep = (deep, Thing)
UNSENDABLE["a deep tuple"] = deep


@pytest.mark.parametrize("kind", UNSENDABLE)
def test_a_message_that_cannot_be_sent_leaves_no_counts_behind(kind: str) -> None:
    tables, thing, kept = tables_of(Owner()), Thing(), Thing()
    tables.box([], kept)
    with pytest.raises(NotSendable):
        tables.box([], (thing, kept, (thing,), UNSENDABLE[kind]))
    with pytest.raises(NotSendable):
        tables.box([], (thing,), (kept,), UNSENDABLE[kind])
    assert count_of(tables, thing) == 0
    assert count_of(tables, kept) == 1
    assert len(tables.exports) == 1


def test_the_bound_on_exports_is_met_half_way_and_leaves_no_counts_behind() -> None:
    tables = tables_of(Owner(), most=5)
    with pytest.raises(NotSendable, match="max_exports"):
        tables.box([], tuple(Thing() for _ in range(6)))
    assert len(tables.exports) == 0
    tables.box([], tuple(Thing() for _ in range(5)))
    assert len(tables.exports) == 5


def test_a_message_that_is_not_sent_is_taken_back_once() -> None:
    tables, thing = tables_of(Owner()), Thing()
    tables.box([], thing)
    tables.box([], (thing, thing))
    tables.take_back()
    assert count_of(tables, thing) == 1
    tables.take_back()
    assert count_of(tables, thing) == 1


def test_what_stands_for_a_value_to_come_is_not_sent_and_says_what_to_do() -> None:
    tables = tables_of(Owner())
    reference = received(tables)

    async def coroutine() -> None:
        pass

    started = coroutine()
    try:
        for value in (Deferred(), RemotePath(reference, ("a",)), started):
            with pytest.raises(NotSendable, match="await it first"):
                tables.box([], value)
    finally:
        started.close()


def test_a_key_that_stands_for_nothing_is_noted_and_told_once() -> None:
    tables = tables_of(Owner())
    key = key_of(("a.B", 8, 9))
    assert tables.unbox_local(key) is None
    with pytest.raises(KeyError, match=r"\('a.B', 8, 9\)"):
        tables.check_noted()
    tables.check_noted()


def test_a_value_has_as_many_items_as_the_connection_s_own_limit_allows() -> None:
    owner: Any = Owner()
    owner.features = frozenset({"values"})
    owner.config = make_config({"max_items": 50})
    tables = tables_of(owner)
    tables.box([], AsValue([0] * 40))
    with pytest.raises(NotSendable, match="more than 50 items"):
        tables.box([], AsValue([0] * 50))


def test_a_value_that_cannot_be_built_is_told_once() -> None:
    tables = tables_of(Owner())
    tables.refuse(ValueError("a money cannot be made"))
    with pytest.raises(ValueError, match="a money"):
        tables.check_noted()
    tables.check_noted()


def test_a_key_of_ours_gives_the_object() -> None:
    tables, thing = tables_of(Owner()), Thing()
    tables.box([], thing)
    export: Any = tables.exports.of(thing)
    assert tables.unbox_local(key_of(export.pack)) is thing
    assert tables.find_pack(key_of(export.pack)) is export
    tables.check_noted()
    with pytest.raises(KeyError):
        tables.find_pack(key_of(("a.B", 8, 9)))


def test_receiving_the_same_object_gives_the_same_reference() -> None:
    tables = tables_of(Owner())
    first = received(tables)
    assert received(tables) is first
    assert received(tables, 6) is not first
    assert first._held.count == 2
