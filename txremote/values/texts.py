"""
How annotations and values read in an error: short, and without asking an object.

The `repr` of a netref may go to the network and that of an int of 5000 digits fails, so only values
of Python's own types are shown, and of long ones the beginning.
"""

from __future__ import annotations

import types
import typing
from typing import Final

from txremote.wire.record import Record, record_name

_LONGEST: Final = 60  # characters
_MOST_BITS: Final = 128

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
    """Return an annotation as a reader would write it, without the names of modules."""
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Ellipsis:
        return "..."
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, typing.ForwardRef):
        return annotation.__forward_arg__
    if isinstance(annotation, list):
        return f"[{', '.join(map(text_of, annotation))}]"
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(text_of, arguments))
    if origin is typing.Annotated:
        return text_of(arguments[0])
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None and arguments:
        return f"{_name_of(origin)}[{', '.join(map(text_of, arguments))}]"
    return _name_of(annotation)


def _name_of(annotation: object) -> str:
    name = getattr(annotation, "__name__", None)
    return name if isinstance(name, str) else repr(annotation).removeprefix("typing.")
