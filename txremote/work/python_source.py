"""
Jobs that are given as source: a string as the function of `run_async`.

The source is compiled once, as an expression if it is one, else as statements, and run once. The
argument of ``_return`` becomes the result (Evennia's ``run_async``; there, a source whose
expression failed was run a second time, as statements).
"""

from __future__ import annotations

import linecache
from collections import OrderedDict
from textwrap import dedent
from types import CodeType
from typing import Any

#: The one name in the source's namespace that is not the caller's.
RETURN = "_return"

# How many sources' lines are kept, for tracebacks.
_MOST_KEPT = 50
_kept: OrderedDict[str, None] = OrderedDict()


def prepared(source: str) -> str:
    """Return a source without common indentation. SyntaxError, or ValueError: it is no Python."""
    text = dedent(source).strip("\n")
    _compile(text, "<run_async>")
    return text


def title_of(source: str) -> str:
    """Return a source's name for the log: its first line."""
    lines = [line for line in map(str.strip, source.splitlines()) if line]
    first = lines[0] if lines else ""
    short = first if len(first) <= 40 else f"{first[:37]}..."
    return f"the source {short!r}" if len(lines) < 2 else f"the source {short!r} ..."


def _compile(source: str, filename: str) -> CodeType:
    try:
        return compile(source, filename, "eval", dont_inherit=True)
    except SyntaxError:
        pass  # its error would be the other one's context
    return compile(source, filename, "exec", dont_inherit=True)


def run_source(source: str, /, **variables: Any) -> Any:
    """
    Run a source that has been `prepared`, with variables: the job in the pool.

    Returns the value of the expression, or None, if there is no ``_return``; else the value that
    was returned, or a list if there were more.
    """
    returned: list[object] = []

    def _return(*values: Any) -> None:
        returned.extend(values)

    filename = _remember(source)
    code = _compile(source, filename)
    value = eval(code, {"__name__": "__run_async__", **variables, RETURN: _return})
    if not returned:
        return value
    return returned[0] if len(returned) == 1 else returned


def _remember(source: str) -> str:
    """Have tracebacks find a source's lines, and return the name of its file."""
    filename = f"<run_async {hash(source) & 0xFFFFFFFF:08x}>"
    _kept[filename] = None
    _kept.move_to_end(filename)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    while len(_kept) > _MOST_KEPT:
        linecache.cache.pop(_kept.popitem(last=False)[0], None)
    return filename
