"""
Rows as tables: chosen, sorted, cut, and told apart.
"""

from __future__ import annotations

import msgspec
import pytest

from tests.monitor.web.made_up import HOSTILE, MadeUpMonitor, row
from txremote.monitor import rows
from txremote.monitor.monitor import Monitor
from txremote.monitor.web.tables import KEYS, Choice, choice_of, choose, keyed, read_table

METHODS = [
    row(rows.MethodRow, method="b", calls=2, p99=None),
    row(rows.MethodRow, method="a", calls=3, p99=0.5),
    row(rows.MethodRow, method="c", calls=1, p99=0.1),
]


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (Choice(), "bac"),
        (Choice(sort="method"), "abc"),
        (Choice(sort="-calls"), "abc"),
        (Choice(sort="p99"), "bca"),
        (Choice(sort="-p99"), "acb"),
        (Choice(sort="calls", limit=2), "cb"),
        (Choice(filter="0.5"), "a"),
        (Choice(filter="none"), ""),
    ],
)
def test_rows_are_chosen(choice: Choice, found: str) -> None:
    """A value that is not known comes first, or last; the total is that before the cut."""
    cut = choose(METHODS, choice)
    assert "".join(each.method for each in cut.rows) == found  # type: ignore[attr-defined]
    assert cut.total == (3 if not choice.filter else len(found))


def test_a_choice_is_read_of_a_query() -> None:
    """The last of several counts; a filter has small letters."""
    query = {b"filter": [b"x", b"Ann"], b"sort": [b"-requests"], b"limit": [b"5"]}
    assert choice_of(query, "connections") == Choice("ann", "-requests", 5)
    assert choice_of({}, "connections") == Choice()


@pytest.mark.parametrize("limit", ["0", "1001", "0000000015000", "9" * 5000, "-1", "\u0661"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(ValueError, match="limit is a number from 1 to 1000"):
        choice_of({b"limit": [limit.encode()]}, "connections")


def test_rows_have_keys_that_stay() -> None:
    """Those of a name; equal lines of the log are two."""
    assert list(keyed("methods", METHODS)) == ["b", "a", "c"]
    lines = MadeUpMonitor().tables["log"]
    by_key = keyed("log", lines)
    assert len(by_key) == 2
    assert list(by_key) == list(keyed("log", lines))
    assert all(msgspec.json.decode(text)["text"] == "twice" for text in by_key.values())


def test_hostile_text_is_json() -> None:
    """Nothing in it ends the string."""
    [text] = keyed("objects", [row(rows.ObjectRow, class_name=f'"{HOSTILE}\n\u2028')]).values()
    assert msgspec.json.decode(text)["class_name"] == f'"{HOSTILE}\n\u2028'
    assert b"\n" not in text


def test_each_table_is_a_method_of_the_monitor() -> None:
    """Its rows have the fields that name them."""
    for name, row_type in rows.ROWS.items():
        assert callable(getattr(Monitor, name))
        assert set(KEYS.get(name, ())) <= set(row_type.__struct_fields__)
    assert KEYS.keys() <= rows.ROWS.keys()
    monitor = MadeUpMonitor()
    assert read_table(monitor, "log") == monitor.tables["log"]  # type: ignore[arg-type]
