"""Exported objects by class: counted right where they are few, and soon where they are many."""

from __future__ import annotations

import time

import pytest
from twisted.internet.task import Clock

from txremote.monitor.exported import AT_ONCE, EXAMINED, MOST_CLASSES, SPAN, ExportedObjects
from txremote.peer.exports import ExportTable


class Shelf:
    pass


class Hostile(type):
    def __getattribute__(cls, name: str) -> object:
        if name in ("__name__", "__qualname__", "__module__", "__hash__"):
            raise RuntimeError("nobody asks me")
        return super().__getattribute__(name)


class Silent(metaclass=Hostile):
    pass


def table(*objects: object) -> ExportTable:
    made = ExportTable(10_000_000)
    for each in objects:
        made.hand_out(each)
    return made


def test_objects_are_counted_by_class_with_their_holders() -> None:
    one, two = table(Shelf(), Shelf(), Silent()), table(Shelf())
    rows = ExportedObjects(Clock()).rows(0.0, [one, two, table()])
    here = __name__
    assert [(row.class_name, row.count, row.holders) for row in rows] == [
        (f"{here}.Shelf", 3, 2),
        (f"{here}.Silent", 1, 1),
    ]
    assert {row.growth_per_minute for row in rows} == {0.0}


def test_growth_is_that_of_the_last_minute() -> None:
    counted, held = ExportedObjects(Clock()), table()
    for step in range(0, 181, 5):
        for _ in range(10):
            held.hand_out(Shelf())
        counted.remember(float(step), [held])
    (row,) = counted.rows(180.0, [held])
    assert row.count == 370
    assert row.growth_per_minute == pytest.approx(120.0)
    assert len(counted._before) <= SPAN / 5 + 2


def test_many_objects_are_looked_at_in_part_and_counted_nearly() -> None:
    held = table(*[Shelf() for _ in range(5 * EXAMINED)])
    few = table(*[Silent() for _ in range(50)])
    rows = ExportedObjects(Clock()).rows(0.0, [held, few])
    counts = {row.class_name: row.count for row in rows}
    shelves, silent = counts[f"{__name__}.Shelf"], counts[f"{__name__}.Silent"]
    assert shelves == pytest.approx(5 * EXAMINED, rel=0.01)
    assert silent == pytest.approx(50, abs=6)


def test_many_tables_are_counted_in_several_turns_of_the_loop() -> None:
    clock = Clock()
    counted, held = ExportedObjects(clock), [table(Shelf()) for _ in range(3 * AT_ONCE)]
    counted.remember(0.0, held[:1])
    counted.remember(5.0, held)
    assert [row.count for row in counted.rows(5.0, held)] == [1]  # the last whole count
    held[-1].clear()  # its connection ends meanwhile
    clock.advance(0)
    (row,) = counted.rows(9.0, held)
    assert (row.count, row.holders) == (3 * AT_ONCE - 1, 3 * AT_ONCE - 1)
    assert row.growth_per_minute == pytest.approx(12 * (row.count - 1))
    counted.remember(10.0, held)
    assert clock.getDelayedCalls()
    counted.stop()
    assert not clock.getDelayedCalls()


def test_classes_past_a_number_are_left_out() -> None:
    held = table(*[type(f"Made{n}", (), {})() for n in range(MOST_CLASSES + 50)])
    assert len(ExportedObjects(Clock()).rows(time.monotonic(), [held])) == MOST_CLASSES
