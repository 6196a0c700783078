"""
`ExportTable`: what is handed out is counted, found by an id that tells nothing, and
dropped when as many have come back.
"""

from __future__ import annotations

import gc
import sys
import types
import weakref
from typing import Any

import pytest
import pytest_twisted

from tests.net.servers import served
from txremote import NotSendable, Service, connect, exposed
from txremote.peer.exports import Export, ExportTable, Granted
from txremote.wire.brine import load
from txremote.wire.keys import key_of


class Thing:
    def method(self) -> None: ...

    def other(self) -> None: ...


class Subject(Service):
    """Keeps callbacks in a set, whatever stands for them."""

    def __init__(self) -> None:
        self.observers: set[Any] = set()

    @exposed
    def subscribe(self, callback: Any) -> int:
        self.observers.add(callback)
        return len(self.observers)

    @exposed
    def unsubscribe(self, callback: Any) -> int:
        self.observers.discard(callback)
        return len(self.observers)


class Meta(type):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("classes of this kind cannot be compared")


class Odd(metaclass=Meta):
    pass


def pack_of(export: Export) -> Any:
    return load(export.key)


def test_each_boxing_counts_one_more_of_the_same_object() -> None:
    table = ExportTable(10)
    thing = Thing()
    assert table.hand_out(thing) == table.hand_out(thing)
    export = table.of(thing)
    assert export is not None
    assert export.count == 2
    assert len(table) == 1
    assert table.find(key_of(export.pack)) is export


@pytest.mark.parametrize("kept", [0, 3])
def test_a_bound_method_is_the_same_however_often_it_is_read(kept: int) -> None:
    """In a table of one, and of more; those of other objects, or of other names, are others."""
    table = ExportTable(20)
    things = [Thing() for _ in range(kept)]
    for each in things:
        table.hand_out(each)
    thing, items = Thing(), [1]
    same = [table.hand_out(thing.method), table.hand_out(thing.method)]
    assert same[0] is same[1] is table.of(thing.method)
    assert table.hand_out(items.append) is table.hand_out(items.append)
    table.give_back(same[0], 2)
    assert table.of(thing.method) is None
    one = table.hand_out(thing.method)
    others = (thing.other, Thing().method, thing, Thing.method, items.extend, [1].append)
    assert len({id(export) for export in (one, *map(table.hand_out, others))}) == 7


@pytest.mark.parametrize("threaded", [False, True])
@pytest_twisted.ensureDeferred
async def test_who_unsubscribes_a_method_is_unsubscribed(threaded: bool) -> None:
    thing = Thing()
    async with served(Subject, threaded_service=threaded) as port:
        conn = await connect(f"tcp:127.0.0.1:{port.getHost().port}")
        assert await conn.root.subscribe(thing.method) == 1
        assert await conn.root.subscribe(thing.method) == 1
        assert await conn.root.subscribe(thing.other) == 2
        assert await conn.root.unsubscribe(thing.method) == 1
        await conn.close()


def test_it_is_dropped_when_as_many_have_come_back() -> None:
    table = ExportTable(10)
    thing = Thing()
    for _ in range(3):
        table.hand_out(thing)
    export: Any = table.of(thing)
    table.give_back(export, 2)
    assert export.count == 1
    table.give_back(export, 1)
    assert len(table) == 0
    assert table.of(thing) is None
    assert table.find(key_of(export.pack)) is None


@pytest.mark.parametrize("count", [0, -1, 3, 1 << 70, True, 1.0, "1", None, b"1", (1,)])
def test_a_release_that_cannot_be_changes_nothing(count: Any) -> None:
    table = ExportTable(10)
    thing = Thing()
    table.hand_out(thing)
    table.hand_out(thing)
    export: Any = table.of(thing)
    with pytest.raises(ValueError, match="a release of"):
        table.give_back(export, count)
    assert export.count == 2
    assert table.of(thing) is export


def test_the_table_keeps_an_object_alive_and_lets_it_go() -> None:
    table = ExportTable(10)
    thing = Thing()
    watch = weakref.ref(thing)
    table.hand_out(thing)
    export: Any = table.of(thing)
    del thing
    gc.collect()
    assert watch() is not None
    table.give_back(export, 1)
    del export
    gc.collect()
    assert watch() is None


def test_ids_are_counters_that_are_never_used_again() -> None:
    table = ExportTable(10)
    seen: set[int] = set()
    for _ in range(5):
        thing = Thing()
        _name, _kind, number = pack_of(table.hand_out(thing))
        assert 0 < number < 100
        assert number not in seen
        seen.add(number)
        table.give_back(table.of(thing), 1)  # type: ignore[arg-type]


def test_an_id_pack_names_class_and_instance() -> None:
    table = ExportTable(10)
    first, second = pack_of(table.hand_out(Thing())), pack_of(table.hand_out(Thing()))
    assert first[0] == f"{__name__}.Thing"
    assert first[1] == second[1] != 0
    assert first[2] != second[2]
    assert pack_of(table.hand_out([]))[0] == "builtins.list"


def test_a_class_has_the_same_class_id_as_its_instances_and_no_instance_id() -> None:
    table = ExportTable(10)
    instance = pack_of(table.hand_out(Thing()))
    assert pack_of(table.hand_out(Thing)) == (f"{__name__}.Thing", instance[1], 0)
    assert table.of(Thing).number == instance[1]  # type: ignore[union-attr]


def test_a_module_goes_by_its_own_name() -> None:
    table = ExportTable(10)
    assert pack_of(table.hand_out(sys))[0] == "sys"
    assert pack_of(table.hand_out(types.ModuleType("made_up")))[0] == "builtins.made_up"


def test_classes_that_cannot_be_hashed_or_compared_are_no_trouble() -> None:
    table = ExportTable(10)
    first, second = pack_of(table.hand_out(Odd())), pack_of(table.hand_out(Odd()))
    assert first[1] == second[1]
    assert pack_of(table.hand_out(Odd))[1] == first[1]


@pytest.mark.parametrize(
    "name", ["", "x" * 300, "\u00e9" * 200, "\ud800", "a\0b", "x" * 254 + "\u20ac"]
)
def test_a_class_name_of_any_shape_fits_an_id_pack(name: str) -> None:
    kind = type("Made", (), {})
    kind.__module__ = name
    pack = pack_of(ExportTable(10).hand_out(kind()))
    assert 0 < len(pack[0].encode()) < 256


def test_classes_made_anew_for_every_call_do_not_pile_up() -> None:
    table = ExportTable(10)
    for _ in range(20):
        thing = type("Fresh", (), {})()
        table.hand_out(thing)
        table.give_back(table.of(thing), 1)  # type: ignore[arg-type]
        del thing
    gc.collect()
    assert len(table._classes) <= 1


class Hiding:
    __slots__ = ("__dict__", "__weakref__")

    def method(self) -> None: ...

    def exposed_other(self) -> None: ...

    default = 3


@pytest.mark.parametrize("name", ["method", "exposed_other", "other"])
def test_an_object_that_hides_a_method_goes_by_an_id_of_its_own(name: str) -> None:
    """A peer asks once for what the objects of an id can do."""
    table = ExportTable(10)
    plain, hides, same = Hiding(), Hiding(), Hiding()
    plain.default = 4
    setattr(hides, name, None)
    setattr(same, name, 5)
    ids = [pack_of(table.hand_out(thing))[1] for thing in (plain, Hiding(), hides, same, Hiding)]
    assert ids[0] == ids[1] == ids[4] != ids[2] == ids[3]


def test_what_hides_methods_is_found_without_running_code() -> None:
    class Loud:
        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise AssertionError("run")

        def __getattribute__(self, name: str) -> Any:
            raise AssertionError("run")

    table = ExportTable(10)
    assert pack_of(table.hand_out(Loud()))[1] == pack_of(table.hand_out(Loud))[1]


def test_ways_of_hiding_do_not_pile_up() -> None:
    kind = type("Many", (), {f"m{number}": lambda self: None for number in range(150)})
    table = ExportTable(1000)
    for number in range(150):
        thing = kind()
        setattr(thing, f"m{number}", None)
        table.hand_out(thing)
    assert len(table._classes._of(kind).hiding) <= 100


def test_there_is_a_bound_and_its_error_names_the_option() -> None:
    table = ExportTable(2)
    kept = [Thing(), Thing()]
    for thing in kept:
        table.hand_out(thing)
    table.hand_out(kept[0])  # what the peer holds already is no new object
    with pytest.raises(NotSendable, match="max_exports"):
        table.hand_out(Thing())
    assert len(table) == 2


def test_what_is_not_handed_out_is_not_kept_either() -> None:
    """Unless it was granted; what the peer holds then, it may be given again."""

    class Policy:
        def check_handed_out(self, target: object) -> None:
            raise NotSendable("not for peers")

    table = ExportTable(10, policy=Policy())
    with pytest.raises(NotSendable, match="not for peers"):
        table.hand_out(Thing)
    assert len(table) == 0
    boxed = table.hand_out(Granted(Thing))
    assert table.hand_out(Thing) == boxed
    export = table.of(Thing)
    assert export is not None
    assert export.count == 2
    table.give_back(export, 2)
    with pytest.raises(NotSendable):
        table.hand_out(Thing)


def test_clear_drops_everything() -> None:
    table = ExportTable(10)
    thing = Thing()
    watch = weakref.ref(thing)
    table.hand_out(thing)
    del thing
    table.clear()
    gc.collect()
    assert len(table) == 0
    assert watch() is None
