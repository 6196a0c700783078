"""
How annotations and values read in an error: short, and without asking an object.

The `repr` of a netref may go to the network and that of an int of 5000 digits fails, so only values
of Python's own types are shown, and of long ones the beginning.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Final

from txremote.wire.record import Record, record_name

_LONGEST: Final = 60  # characters
_MOST_BITS: Final = 128
_MOST_WORDS: Final = 500  # of an annotation

_SIMPLE = frozenset({type(None), bool, float, complex})
# modules whose values have a short repr that asks nobody
_KNOWN = frozenset(
    {"builtins", "datetime", "decimal", "fractions", "uuid", "ipaddress", "pathlib", "zoneinfo"}
)


def shortened(text: str) -> str:
    """Return a text, cut where it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def shown(value: object) -> str:
    """Return the type of a value and as much of it as an error should show."""
    kind = type(value)
    if value is None:
        return "None"
    if kind in _SIMPLE:
        return f"{kind.__name__} {value!r}"
    if isinstance(value, int) and kind is int:
        bits = value.bit_length()
        return f"int {value}" if bits <= _MOST_BITS else f"an int of {bits} bits"
    if kind is str or kind is bytes:
        assert isinstance(value, (str, bytes))
        text = repr(value[: _LONGEST + 1])
        return f"{kind.__name__} {shortened(text)}"
    if kind in (list, tuple, dict, set, frozenset, bytearray):
        assert isinstance(value, (list, tuple, dict, set, frozenset, bytearray))
        return f"a {kind.__name__} of {len(value)}"
    if kind is Record and isinstance(value, Record):
        return f"a record {shortened(record_name(value))}"
    if kind.__module__.partition(".")[0] in _KNOWN and kind.__module__ != "builtins":
        return f"{kind.__name__} {shortened(_safe_repr(value))}"
    return f"an object of class {shortened(kind.__name__)}"


def _safe_repr(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return "..."


def text_of(annotation: object) -> str:
    """Return an annotation as a reader would write it, without modules; a huge one is cut."""
    words: list[str] = []
    _write(annotation, words)
    return "".join(words)


def _write(annotation: object, words: list[str]) -> None:
    """Append an annotation's words; not all of one that says the same part over and over."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if len(words) > _MOST_WORDS:
        words.append("...")
    elif annotation is None or annotation is type(None):
        words.append("None")
    elif annotation is Ellipsis:
        words.append("...")
    elif isinstance(annotation, str):
        words.append(_unquoted(annotation))
    elif isinstance(annotation, typing.ForwardRef):
        words.append(annotation.__forward_arg__)
    elif isinstance(annotation, list):
        _write_all(annotation, ", ", words, "[", "]")
    elif origin in (typing.Union, types.UnionType):
        _write_all(arguments, " | ", words)
    elif origin is typing.Annotated:
        _write(arguments[0], words)
    elif origin is typing.Literal:
        words.append(f"Literal[{', '.join(map(repr, arguments))}]")
    elif origin is not None and arguments:
        words.append(_name_of(origin))
        _write_all(arguments, ", ", words, "[", "]")
    else:
        words.append(_name_of(annotation))


def _write_all(
    parts: Sequence[object], between: str, words: list[str], before: str = "", after: str = ""
) -> None:
    words.append(before)
    for place, part in enumerate(parts):
        words.append(between if place else "")
        if len(words) > _MOST_WORDS:
            words.append("...")
            break
        _write(part, words)
    words.append(after)


def _unquoted(annotation: str) -> str:
    """Return a hint that was quoted although all hints of its module are strings."""
    inner = annotation[1:-1]
    is_quoted = annotation[:1] in ("'", '"') and annotation == annotation[0] + inner + annotation[0]
    return inner if is_quoted and annotation[0] not in inner else annotation


def _name_of(annotation: object) -> str:
    name = getattr(annotation, "__name__", None)
    return name if isinstance(name, str) else repr(annotation).removeprefix("typing.")
