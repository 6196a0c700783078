"""Exported objects by class: counted right where they are few, and soon where they are many."""

from __future__ import annotations

import time

import pytest

from txremote.monitor.exported import EXAMINED, MOST_CLASSES, SPAN, ExportedObjects
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
        made.box(each)
    return made


def test_objects_are_counted_by_class_with_their_holders() -> None:
    one, two = table(Shelf(), Shelf(), Silent()), table(Shelf())
    rows = ExportedObjects().rows(0.0, [one, two, table()])
    here = __name__
    assert [(row.class_name, row.count, row.holders) for row in rows] == [
        (f"{here}.Shelf", 3, 2),
        (f"{here}.Silent", 1, 1),
    ]
    assert {row.growth_per_minute for row in rows} == {0.0}


def test_growth_is_that_of_the_last_minute() -> None:
    counted, held = ExportedObjects(), table()
    for step in range(0, 181, 5):
        for _ in range(10):
            held.box(Shelf())
        counted.remember(float(step), [held])
    (row,) = counted.rows(180.0, [held])
    assert row.count == 370
    assert row.growth_per_minute == pytest.approx(120.0)
    assert len(counted._before) <= SPAN / 5 + 2


def test_many_objects_are_looked_at_in_part_and_counted_nearly() -> None:
    held = table(*[Shelf() for _ in range(5 * EXAMINED)])
    few = table(*[Silent() for _ in range(50)])
    counts, _holders = ExportedObjects().count([held, few])
    shelves, silent = counts[f"{__name__}.Shelf"], counts[f"{__name__}.Silent"]
    assert shelves == pytest.approx(5 * EXAMINED, rel=0.01)
    assert silent == pytest.approx(50, abs=6)


def test_classes_past_a_number_are_left_out() -> None:
    held = table(*[type(f"Made{n}", (), {})() for n in range(MOST_CLASSES + 50)])
    assert len(ExportedObjects().rows(time.monotonic(), [held])) == MOST_CLASSES
