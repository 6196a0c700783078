"""
The monitor's rows as tables: read once a tick, filtered, sorted, cut, and encoded row by row.

A row has a key, by which a stream of events tells which rows are new, have changed or are gone.
Rows without a number or a name of their own, such as lines of the log, are told apart by what
they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from txremote.monitor.monitor import Monitor
from txremote.monitor.rows import ROWS

#: Rows of a table that are sent, if a client does not ask for fewer, and at most.
MOST_ROWS: Final = 1000

#: Characters of a filter.
LONGEST_FILTER: Final = 200

Row = msgspec.Struct


#: The fields that name a row; of other kinds only the whole row does.
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "listeners": ("server", "address"),
    "connections": ("number",),
    "methods": ("method",),
    "objects": ("class_name",),
    "pools": ("name",),
    "tasks": ("console", "number"),
    "topics": ("name", "worker"),
}


class Choice(NamedTuple):
    """
    The rows that a client wants.

    Attributes:
        filter: A text that one of a row's values has in it, in small letters.
        sort: A field to sort by, with ``-`` in front for the largest first; empty for the
            monitor's order.
        limit: How many rows.
    """

    filter: str = ""
    sort: str = ""
    limit: int = MOST_ROWS


class Cut(NamedTuple):
    """Rows, and how many there would be without a limit."""

    rows: list[Row]
    total: int


def choice_of(arguments: Mapping[bytes, list[bytes]], table: str) -> Choice:
    """Return the choice that a query says. ValueError, with a sentence: it makes no sense."""
    words = {name: values[-1].decode("utf-8", "replace") for name, values in arguments.items()}
    sort = words.get(b"sort", "")
    limit = words.get(b"limit", str(MOST_ROWS))
    digits = limit.isascii() and limit.isdigit() and len(limit) < 9
    if not (digits and 0 < int(limit) <= MOST_ROWS):
        raise ValueError(f"limit is a number from 1 to {MOST_ROWS}")
    if len(words.get(b"filter", "")) > LONGEST_FILTER:
        raise ValueError(f"filter is a text of at most {LONGEST_FILTER} characters")
    fields = ROWS[table].__struct_fields__
    if sort and sort.removeprefix("-") not in fields:
        raise ValueError(f"sort is one of {', '.join(fields)}, or one of them behind a minus")
    return Choice(words.get(b"filter", "").lower(), sort, int(limit))


def read_table(monitor: Monitor, table: str) -> Sequence[Row]:
    """Return a table's rows as they are now, in the monitor's order."""
    rows_now: Sequence[Row] = getattr(monitor, table)()
    return rows_now


def choose(found: Sequence[Row], choice: Choice) -> Cut:
    """Return the rows that a client wants."""
    chosen = [row for row in found if not choice.filter or _has(row, choice.filter)]
    if choice.sort:
        name = choice.sort.removeprefix("-")
        chosen.sort(key=lambda row: _rank(getattr(row, name)), reverse=choice.sort[0] == "-")
    return Cut(chosen[: choice.limit], len(chosen))


def _rank(value: Any) -> tuple[bool, Any]:
    return (False, 0) if value is None else (True, value)


def _has(row: Row, text: str) -> bool:
    return any(
        text in str(value).lower()
        for name in row.__struct_fields__
        if (value := getattr(row, name)) is not None
    )


def keyed(table: str, found: Sequence[Row]) -> dict[str, bytes]:
    """Return rows in JSON by their keys, in their order."""
    fields = KEYS.get(table)
    encoded = [_ENCODER.encode(row) for row in found]
    if fields:
        return {
            "/".join(str(getattr(row, name)) for name in fields): text
            for row, text in zip(found, encoded, strict=True)
        }
    seen: Counter[bytes] = Counter()
    by_text = {}
    for text in encoded:
        seen[text] += 1
        by_text[f"{hash(text) & (1 << 60) - 1:x}.{seen[text]}"] = text
    return by_text


_ENCODER = msgspec.json.Encoder()
