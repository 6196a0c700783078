"""Reports of workers that there are none of."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from txremote.daemon.workers.reports import Report, Totals
from txremote.monitor.rows import Overview

T = TypeVar("T", bound=msgspec.Struct)

_EMPTY: dict[Any, Any] = {str: "", int: 0, float: 0.0, bool: False}


def row(kind: type[T], /, **fields: object) -> T:
    """Return a row with these fields, and nothing in the others."""
    found = {}
    for each in msgspec.structs.fields(kind):
        if each.required:
            found[each.name] = _EMPTY.get(each.type)
    return kind(**{**found, **fields})


def report(**fields: object) -> Report:
    """Return a report of nothing."""
    made: dict[str, Any] = {
        "overview": row(Overview, state="serving"),
        "totals": Totals(),
        **{
            name: []
            for name in (
                *("listeners", "connections", "calls", "slowest"),
                *("objects", "topics", "pools", "tasks", "certificates"),
            )
        },
        **fields,
    }
    return Report(**made)
