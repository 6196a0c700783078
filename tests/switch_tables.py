"""
The table of switches and the lists of their options in ``docs/reference.rst``.

``python -m tests.switch_tables`` writes them into the page from what is declared of the
fields of `ConnectionConfig`; `tests/test_docs.py` checks that the page has them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from txremote.config import BYTES, COUNT, SAFE_ATTRS, ConnectionConfig, declaration_of
from txremote.daemon.plan import LIMITS, Setting

PAGE = Path(__file__).parent.parent / "docs" / "reference.rst"

_MIB = 1024 * 1024


def table() -> str:
    """Return the table of switches, as it stands in the page."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 25 15 60", ""]
    lines += ["   * - switch", "     - default", "     - meaning"]
    for each in dataclasses.fields(ConnectionConfig):
        declared = declaration_of(each)
        default = _shown(each.default)
        if declared.kind is BYTES:
            default += f" ({each.default // _MIB} MiB)"
        lines += [f"   * - ``{each.name}``", f"     - {default}", f"     - {declared.help}"]
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    if default is SAFE_ATTRS:
        return "RPyC's"
    if isinstance(default, str):
        return f'``"{default}"``'
    return f"``{default:_}``" if type(default) is int else f"``{default}``"


def numbers() -> str:
    """Return the options of limits that are numbers, and what they are."""
    options = _options(each for each in LIMITS if each.kind in (COUNT, BYTES))
    return f"{options}\n    The limits of `Switches and limits`_, a number each.\n"


def times() -> str:
    """Return the options of limits that are times, and what they are."""
    options = _options(each for each in LIMITS if each.kind not in (COUNT, BYTES))
    return f"{options}\n    The times there, in seconds; 0 is no limit.\n"


def _options(settings: Iterable[Setting]) -> str:
    return ", ".join(f"``--{each.name}``" for each in settings)


def page_with(text: str) -> str:
    """Return the page's text with the table and the lists as they are now."""
    parts = {"table of switches": table, "limits' options": numbers, "times' options": times}
    for name, make in parts.items():
        begin = f".. the {name}: python -m tests.switch_tables\n"
        end = f".. the end of the {name}\n"
        before, found, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        assert found, f"the page has no place for the {name}"
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def main() -> None:
    """Write the table and the lists into the page."""
    PAGE.write_text(page_with(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
