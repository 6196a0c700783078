"""
Values of Python's own types read from their ``repr``, as a stock RPyC tells it.

A stock RPyC sends a date, a Decimal or a path by reference, and opens none of its names; but it
tells the ``repr`` of everything. For these types that is exact: it has the time zone's key and
the last digit. It is text of the peer's, so it is parsed, never evaluated: one call of a known
name with constants, and with such calls as a zone is made of.
"""

from __future__ import annotations

import ast
import datetime
import decimal
import fractions
import ipaddress
import pathlib
import uuid
import zoneinfo
from collections.abc import Callable
from functools import cache

#: Longest repr that is parsed, in characters: a path has 4,096 at most.
LONGEST_REPR = 10_000


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _zone(key: object) -> zoneinfo.ZoneInfo:
    # only what is on the list: ZoneInfo looks for files of any other name
    if type(key) is not str or key not in _known_zones():
        raise ValueError(f"it is of a time zone that is not known here: {key!r:.100}")
    return zoneinfo.ZoneInfo(key)


_KINDS: dict[str, Callable[..., object]] = {
    "datetime.datetime": datetime.datetime,
    "datetime.date": datetime.date,
    "datetime.time": datetime.time,
    "datetime.timedelta": datetime.timedelta,
    "datetime.timezone": datetime.timezone,
    "zoneinfo.ZoneInfo": _zone,
    "decimal.Decimal": decimal.Decimal,
    "fractions.Fraction": fractions.Fraction,
    "uuid.UUID": uuid.UUID,
    "ipaddress.IPv4Address": ipaddress.IPv4Address,
    "ipaddress.IPv6Address": ipaddress.IPv6Address,
    "ipaddress.IPv4Network": ipaddress.IPv4Network,
    "ipaddress.IPv6Network": ipaddress.IPv6Network,
    "ipaddress.IPv4Interface": ipaddress.IPv4Interface,
    "ipaddress.IPv6Interface": ipaddress.IPv6Interface,
    "pathlib.PurePosixPath": pathlib.PurePosixPath,
    "pathlib.PureWindowsPath": pathlib.PureWindowsPath,
    "pathlib.PosixPath": pathlib.PurePosixPath,
    "pathlib.WindowsPath": pathlib.PureWindowsPath,
    "builtins.range": range,
}
# The module of paths has had two names, and paths that can be used are what this system has.
_NATIVE = "pathlib." + type(pathlib.Path()).__name__
_KINDS[_NATIVE] = pathlib.Path
_KINDS |= {name.replace(".", "._local."): kind for name, kind in _KINDS.items() if "path" in name}

#: What a repr calls these classes: with the module, or by the class's name alone.
_CALLED = {name.rpartition(".")[2]: kind for name, kind in _KINDS.items()} | {
    name: kind for name, kind in _KINDS.items() if name.startswith(("datetime.", "zoneinfo."))
}
_UTC = "datetime.timezone.utc"


#: The full names of the classes whose objects can be read from their ``repr``.
TOLD = frozenset(_KINDS)


def read_repr(class_name: str, text: object) -> object:
    """
    Return the value of a class that a repr tells.

    Args:
        class_name: The full name that the peer gives the class.
        text: What it gives as the repr.

    Raises:
        ValueError: it is no repr of such a value, or has a time zone that is not known here.
    """
    if type(text) is not str or len(text) > LONGEST_REPR:
        raise ValueError("what the peer calls its repr is none, or too long")
    try:
        tree = ast.parse(text, mode="eval").body
        value = _value(tree)
    except (SyntaxError, RecursionError, MemoryError, TypeError, ArithmeticError) as problem:
        raise ValueError(f"its repr cannot be read: {text[:100]}") from problem
    called = _dotted(tree.func if type(tree) is ast.Call else tree).removesuffix(".utc")
    if _KINDS[class_name] is not _CALLED.get(called):
        raise ValueError(f"its repr is of something else: {text[:100]}")
    return value


def _value(tree: ast.expr) -> object:
    if type(tree) is ast.Constant:
        return tree.value
    if type(tree) is ast.UnaryOp and type(tree.op) is ast.USub:
        number = _value(tree.operand)
        if type(number) is int:
            return -number
    if type(tree) is ast.Attribute and _dotted(tree) == _UTC:
        return datetime.UTC
    if type(tree) is ast.Call:
        kind = _CALLED.get(_dotted(tree.func))
        if kind is not None:
            named = {each.arg or "**": _value(each.value) for each in tree.keywords}
            return kind(*[_value(each) for each in tree.args], **named)
    raise ValueError(f"its repr cannot be read: {ast.unparse(tree)[:100]}")


def _dotted(tree: ast.expr) -> str:
    if type(tree) is ast.Attribute:
        return f"{_dotted(tree.value)}.{tree.attr}"
    return tree.id if type(tree) is ast.Name else "?"
