"""
The tables: how values are shown, sorted and filtered, whatever a server says.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.monitor.top.yard import HOSTILE
from tests.monitor.web.made_up import row as made_up
from txremote.monitor.rows import (
    ROWS,
    ConnectionRow,
    ObjectRow,
    Overview,
    TaskRow,
    TopicRow,
)
from txremote.monitor.top.lines import headline
from txremote.monitor.top.views import (
    MOST_SHOWN,
    VIEWS,
    Choice,
    progress,
    size,
    span,
    table_of,
    text,
    view_of,
)

OBJECTS = next(view for view in VIEWS if view.kind == "objects")


def objects(*counts: int) -> list[Any]:
    """Return rows of objects, of a class each."""
    return [ObjectRow(f"Class{n}", n, 0.0, 1) for n in counts]


@pytest.mark.parametrize(
    "shown, expected",
    [
        *(
            (span(None), ""),
            (span(0.00123), "1.23 ms"),
            (span(0.9999), "1 s"),
            (span(59.4), "59.4 s"),
        ),
        *((span(59.6), "1 min"), (span(3 * 3600 + 300), "3 h 05"), (span(1e6), "11 d")),
        *((size(None), ""), (size(0), "0 B"), (size(1234), "1.23 kB"), (size(5e12), "5 TB")),
        (text("x\x1b[2J\ny"), "x [2J y"),
    ],
)
def test_values_are_short(shown: str, expected: str) -> None:
    """With a unit."""
    assert shown == expected


def test_every_column_is_of_a_field() -> None:
    """Of the rows that the view is of; a row's key, too."""
    for view in VIEWS:
        fields = ROWS[view.kind].__struct_fields__
        names = {column.value for column in view.columns if isinstance(column.value, str)}
        assert {*names, *view.key} <= set(fields), view.kind


def test_a_hostile_text_is_printable_and_short() -> None:
    """Nothing that a terminal or a table would take for more than text."""
    row = ConnectionRow(
        *(1, HOSTILE * 99, HOSTILE, HOSTILE, HOSTILE, 0.0, 0, None, None, 0, 0, 0, 0, 0),
        *(HOSTILE, HOSTILE),
    )
    [view] = [view for view in VIEWS if view.kind == "connections"]
    [cells] = table_of(view, [row], Choice()).cells
    assert all(cell.isprintable() and len(cell) <= 200 for cell in cells)


def test_rows_are_sorted_by_any_column_and_filtered_by_any_text() -> None:
    """Figures the largest first, names from a to z; the other way around, too; None is least."""
    rows = objects(1, 3, 2)
    choice = Choice()
    assert [row.count for row in table_of(OBJECTS, rows, choice).rows] == [1, 3, 2]
    orders = []
    for _ in OBJECTS.columns[:2]:
        choice.next_column(OBJECTS)
        orders.append([row.count for row in table_of(OBJECTS, rows, choice).rows])
    assert orders == [[1, 2, 3], [3, 2, 1]]
    choice.turned = True
    assert [row.count for row in table_of(OBJECTS, rows, choice).rows] == [1, 2, 3]
    for _ in OBJECTS.columns[2:]:
        choice.next_column(OBJECTS)
    assert choice.column is not None
    choice.next_column(OBJECTS)
    assert choice.column is None  # the server's order again
    assert [row.count for row in table_of(OBJECTS, rows, Choice("CLASS3")).rows] == [3]


def test_of_workers_tables_say_which_has_a_row() -> None:
    """Of a server without any no column is wasted on them, and a choice of it means none."""
    rows = [made_up(TopicRow, name="news", worker=n, subscribers=n) for n in (2, 1)]
    choice = Choice(column=1)
    for workers, first in ((2, ["news", "2", "2"]), (0, ["news", "2", "0"])):
        overview = made_up(Overview, workers=workers, streams_sent=workers)
        for view in VIEWS:
            shown = view_of(view, overview)
            titles = [column.title for column in shown.columns]
            has = view.kind in {"connections", "calls", "slowest", "topics"}
            assert ("worker" in titles) is (has and workers > 0), view.kind
        assert table_of(shown, rows, choice).cells[0][:3] == first
        assert ("2 workers" in headline(overview)) is (workers > 0)
        assert ("2 streams" in headline(overview)) is (workers > 0)
    choice.column = len(VIEWS[-1].columns) - 1
    assert table_of(shown, rows, choice).rows == rows


def test_very_many_rows_are_cut_and_counted() -> None:
    """The filter finds the others."""
    table = table_of(OBJECTS, objects(*range(MOST_SHOWN + 5)), Choice())
    assert (len(table.rows), table.left_out) == (MOST_SHOWN, 5)


def task(**more: Any) -> TaskRow:
    """Return a task's row."""
    now = time.time()
    given = {"console": "c", "number": 1, "command": "dig", "status": "RUNNING", "owner": "ann"}
    given |= {"submitted": now, "started": now, "ended": None, "done_count": None, "total": None}
    return TaskRow(**{**given, "rate": None, "eta": None, "progress_text": "", "lines": 0, **more})


@pytest.mark.parametrize(
    "more, shown",
    [
        ({}, ""),
        ({"progress_text": "warming up"}, "warming up"),
        ({"done_count": 30.0, "total": 100.0, "eta": 13.4}, "30/100, 13.4 s left"),
        ({"done_count": 30.0, "rate": 5.234}, "30, 5.23/s"),
        ({"done_count": 100.0, "total": 100.0, "eta": 0.0, "ended": 1.0}, "100/100"),
    ],
)
def test_progress_is_told_in_words(more: dict[str, Any], shown: str) -> None:
    """As far as it is known."""
    assert progress(task(**more)) == shown
