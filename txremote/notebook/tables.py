"""
`table_of`: values that have rows, as an HTML table.

Those are records, dataclasses, attrs classes, Structs and namedtuples, one or a list of them,
lists of dicts, numpy's
arrays of one and two dimensions, and Arrow's tables. All other values give None, and IPython
shows them as ever. The table is bounded in rows, columns and characters, whatever a peer has sent;
the rest of the value is not looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from txremote.notebook.markup import in_short, table
from txremote.wire.record import is_record, record_fields, record_name

#: Most rows and columns that a table shows.
MOST_ROWS: Final = 50
MOST_COLUMNS: Final = 20


def table_of(value: object) -> str | None:
    """Return the table that shows a value; None for a value without rows."""
    if type(value) is list or type(value) is tuple:
        return _of_rows(value)
    if not isinstance(value, type) and not isinstance(value, dict):
        row = _row(value)
        if row is not None:
            return _of_fields(_name(value), row)
    return _of_array(value) or _of_arrow(value)


def _of_fields(name: str, row: Mapping[str, object]) -> str:
    shown = list(row.items())[:MOST_ROWS]
    rows = [(in_short(field), in_short(value)) for field, value in shown]
    return table((name, ""), rows, _more("fields", len(shown), len(row)))


def _of_rows(values: Sequence[object]) -> str | None:
    """Return the table of a list of which every item that is shown has a row, of one class."""
    shown = values[:MOST_ROWS]
    if not shown or len({_name(each) for each in shown}) != 1:
        return None
    columns: dict[str, None] = {}
    rows: list[Mapping[str, object]] = []
    for each in shown:
        row = _row(each)
        if row is None:
            return None
        rows.append(row)
        if len(columns) < MOST_COLUMNS + 1:
            columns.update(dict.fromkeys(row))
    if not columns:
        return None
    names = list(columns)[:MOST_COLUMNS]
    cells = [[in_short(row[name]) if name in row else "" for name in names] for row in rows]
    return table([in_short(name) for name in names], cells, _cut(len(values), len(columns)))


def _name(value: object) -> str:
    """Return the name of the class whose row a value is."""
    return record_name(value) if is_record(value) else type(value).__qualname__  # type: ignore[arg-type]


def _row(value: Any) -> Mapping[str, object] | None:
    """Return the fields of a value by name; None where it has none."""
    if is_record(value):
        return record_fields(value)
    kind = type(value)
    if kind is dict:
        return value if all(type(name) is str for name in value) else None
    if is_dataclass(kind):
        return {each.name: _field(value, each.name) for each in fields(kind) if each.repr}
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return {each.name: _field(value, each.name) for each in attributes if each.repr}
    names = getattr(kind, "_fields" if issubclass(kind, tuple) else "__struct_fields__", None)
    if type(names) is tuple:
        return {name: _field(value, name) for name in names}
    return None


def _field(value: object, name: str) -> object:
    return getattr(value, name, "")  # a slot may be empty


def _of_array(value: Any) -> str | None:
    numpy: Any = sys.modules.get("numpy")  # not imported: no value of it
    if numpy is None or type(value) is not numpy.ndarray or value.ndim not in (1, 2):
        return None
    rows, columns = value.shape if value.ndim == 2 else (len(value), 1)
    if not rows or not columns or value.dtype.names is not None:
        return None
    shown = value[:MOST_ROWS].reshape(-1, columns)[:, :MOST_COLUMNS]
    cells = [[str(at), *map(in_short, row)] for at, row in enumerate(shown.tolist())]
    shape = " x ".join(map(str, value.shape))
    caption = f"{value.dtype}, {shape}"
    return table(("", *map(str, range(shown.shape[1]))), cells, caption)


def _of_arrow(value: Any) -> str | None:
    pyarrow: Any = sys.modules.get("pyarrow")
    if pyarrow is None or type(value) not in (pyarrow.Table, pyarrow.RecordBatch):
        return None
    names = value.schema.names[:MOST_COLUMNS]
    shown = value.slice(0, MOST_ROWS)
    columns = [shown.column(at).to_pylist() for at in range(len(names))]
    cells = [[in_short(each) for each in row] for row in zip(*columns, strict=True)]
    return table([in_short(name) for name in names], cells, _cut(value.num_rows, value.num_columns))


def _cut(rows: int, columns: int) -> str:
    """Tell how much a table shows, where that is not all of it."""
    told = (
        _more("rows", min(rows, MOST_ROWS), rows),
        _more("columns", min(columns, MOST_COLUMNS), columns),
    )
    return ", ".join([each for each in told if each])


def _more(name: str, shown: int, count: int) -> str:
    return f"{shown} of {count:,} {name}" if shown < count else ""
