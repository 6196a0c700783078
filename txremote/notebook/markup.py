"""
Texts of peers, as HTML and as plain text that show them and do nothing else.

A notebook runs the HTML of its outputs: a script in it, or a formula (``$...$``), which MathJax
typesets, and which may have a link in it. So all texts go through `escaped`. In plain text a
terminal's control sequences are shown by their escapes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from itertools import islice
from reprlib import Repr
from typing import Any

from txremote.wire.record import Record, is_record, record_fields, record_name

#: Longest text of one cell of a table, in characters.
LONGEST: int = 200

# MathJax looks for its delimiters in the text of one element
_MATH = re.compile(r"[$\\]")


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text cut to a number of characters, with three dots where it was longer."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def printable(text: str) -> str:
    r"""Return a text with an escape such as ``\x1b`` for each character that is not shown."""
    if text.isprintable():
        return text
    return "".join(
        [each if each.isprintable() or each in "\n\t" else _escape(each) for each in text]
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def escaped(text: str) -> str:
    """Return a text as HTML that shows it: no tag, no formula, no control character."""
    return _MATH.sub(r"<span>\g<0></span>", html.escape(printable(text)))


class _ShortRepr(Repr):
    """Python's bounded ``repr``, which knows records as well."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = LONGEST
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 10
        self.maxlevel = 2  # ten items of ten

    # these would be sorted as a whole

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Return the first items of a dict."""
        return super().repr_dict(dict(islice(x.items(), self.maxdict + 1)), level)

    def repr_set(self, x: set[Any], level: int) -> str:
        """Return some items of a set."""
        return super().repr_set(set(islice(x, self.maxset + 1)), level)

    def repr_Record(self, record: Record, level: int) -> str:
        """Return the class's name and the fields of a record."""
        if level <= 0:
            return f"{record_name(record)}(...)"
        fields = list(record_fields(record).items())
        shown = [f"{name}={self.repr1(value, level - 1)}" for name, value in fields[:10]]
        return f"{record_name(record)}({', '.join(shown)}{', ...' if len(fields) > 10 else ''})"


_short = _ShortRepr()


def in_short(value: object) -> str:
    """Return one line that shows a value: a text as it is, all else by a bounded ``repr``."""
    if type(value) is str:
        return shortened(value)
    try:
        if type(value) in (list, tuple, dict, set, bytes, int) or is_record(value):
            found = _short.repr(value)
        else:
            found = str(value)
    except Exception as problem:  # an object's own, and an integer of too many digits
        found = f"<{type(value).__name__}: {type(problem).__name__}>"
    return shortened(found)


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str = "") -> str:
    """
    Return a table of texts as HTML.

    Args:
        head: The names of the columns.
        rows: The texts of the cells, row by row.
        caption: A text below it, if not empty.
    """
    heads = "".join([f"<th>{escaped(each)}</th>" for each in head])
    body = "".join(
        [f"<tr>{''.join([f'<td>{escaped(each)}</td>' for each in row])}</tr>" for row in rows]
    )
    below = f"<div>{escaped(caption)}</div>" if caption else ""
    return (
        '<div class="txremote tex2jax_ignore mathjax_ignore">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{below}</div>"
    )


def preformatted(lines: Iterable[str]) -> str:
    """Return lines of text as HTML, line by line."""
    text = "\n".join([escaped(line) for line in lines])
    return f'<pre class="tex2jax_ignore mathjax_ignore">{text}</pre>'
