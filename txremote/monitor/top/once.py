"""All tables of ``txremote top``, printed once: for scripts, and where there is no textual."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from txremote.monitor.top.lines import headline
from txremote.monitor.top.sources import Source
from txremote.monitor.top.views import VIEWS, Choice, Table, View, table_of, view_of


async def tables_once(source: Source, width: int | None, wanted: str = "") -> list[str]:
    """
    Return the lines of all tables.

    Args:
        width: That of the terminal, at which lines are cut; None: they are whole.
        wanted: The filter.

    Raises:
        SourceGone, Refused: The server does not answer, or not that.
    """
    overview = await source.overview()
    all_rows = await asyncio.gather(*(source.rows(view.kind) for view in VIEWS))
    lines = headline(overview).split(" · ")
    found = [", ".join(lines)]
    for kind, rows in zip(VIEWS, all_rows, strict=True):
        view = view_of(kind, overview)
        table = table_of(view, rows, Choice(wanted))
        found += ["", f"{view.title.upper()}: {len(rows)}"]
        found += printed(view, table)
    return found if width is None else [line[:width] for line in found]


def printed(view: View, table: Table) -> Iterator[str]:
    """Give the lines of a table; none of an empty one."""
    if not table.rows:
        return
    heads = [column.title for column in view.columns]
    widths = [max(map(len, cells)) for cells in zip(heads, *table.cells, strict=True)]
    for cells in (heads, *table.cells):
        yield _line(view, cells, widths)
    if table.left_out:
        yield f"and {table.left_out} more"


def _line(view: View, cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell.rjust(width) if column.right else cell.ljust(width)
        for column, cell, width in zip(view.columns, cells, widths, strict=True)
    ).rstrip()
