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
import fractions
import ipaddress
import pathlib
import re
import uuid
from collections.abc import Callable

from txremote.wire.value_dates import load_zone
from txremote.wire.value_texts import load_decimal, load_pattern

#: Longest repr that is parsed, in characters: a path has 4,096 at most.
LONGEST_REPR = 10_000


# these are bounded as they are where a txremote sends them


def _zone(key: object) -> object:
    zone = load_zone((key,))
    if zone is NotImplemented:
        raise ValueError(f"it is of a time zone that is not known here: {key!r:.100}")
    return zone


def _decimal(text: object) -> object:
    return load_decimal((text,))


def _pattern(text: object, flags: object = 0) -> object:
    pattern = load_pattern((text, flags))
    if pattern is NotImplemented:
        raise ValueError("it is a pattern that cannot be compiled here")
    return pattern


_KINDS: dict[str, Callable[..., object]] = {
    "datetime.datetime": datetime.datetime,
    "datetime.date": datetime.date,
    "datetime.time": datetime.time,
    "datetime.timedelta": datetime.timedelta,
    "datetime.timezone": datetime.timezone,
    "zoneinfo.ZoneInfo": _zone,
    "decimal.Decimal": _decimal,
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
    "re.Pattern": _pattern,
}
# The module of paths has had two names, and paths that can be used are what this system has.
_NATIVE = "pathlib." + type(pathlib.Path()).__name__
_KINDS[_NATIVE] = pathlib.Path
_KINDS |= {name.replace(".", "._local."): kind for name, kind in _KINDS.items() if "path" in name}

#: What a repr calls these classes: with the module, or by the class's name alone.
_CALLED = {name.rpartition(".")[2]: kind for name, kind in _KINDS.items()} | {
    name: kind for name, kind in _KINDS.items() if name.startswith(("datetime.", "zoneinfo."))
}
_CALLED["re.compile"] = _pattern
_UTC = "datetime.timezone.utc"
_FLAGS = {f"re.{flag.name}": int(flag) for flag in re.RegexFlag}
#: The full names of the classes whose objects can be read from their ``repr``.
TOLD = frozenset(_KINDS)


def read_repr(class_name: str, text: object) -> object:
    """
    Return the value of a class that a repr tells.

    Args:
        class_name: The full name that the peer gives the class.
        text: Its repr.

    Raises:
        ValueError: it is no repr of such a value, or has a time zone that is not known here.
    """
    if type(text) is not str or len(text) > LONGEST_REPR:
        raise ValueError("what the peer calls its repr is none, or too long")
    try:
        tree = ast.parse(text, mode="eval").body
        value = _value(tree)
    except (
        SyntaxError,
        RecursionError,
        MemoryError,
        TypeError,
        LookupError,
        ArithmeticError,
    ) as problem:
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
    if type(tree) is ast.Attribute:
        name = _dotted(tree)
        if name == _UTC:
            return datetime.UTC
        if name in _FLAGS:
            return _FLAGS[name]
    if type(tree) is ast.BinOp and type(tree.op) is ast.BitOr:
        left, right = _value(tree.left), _value(tree.right)
        if type(left) is int and type(right) is int:
            return left | right
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
