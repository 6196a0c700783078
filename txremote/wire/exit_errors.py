"""
The exception with which a remote context is left: what CTXEXIT tells of it, and back.

RPyC tells its class by reference, and a stock server's ``__exit__`` meets a TypeError instead: it
raises what it was told. A txremote is told the exception, as answers tell of one, but for the
traceback. An exception that is long, or that cannot be sent, is told by its class as well: a
context is left in any case.
"""

from __future__ import annotations

import builtins
from contextlib import suppress
from typing import Any, Final

from txremote.errors import RemoteProtocolError
from txremote.wire.brine import dump
from txremote.wire.consts import FEATURE_VALUES
from txremote.wire.exceptions import dump_exception, load_exception, set_attributes

#: The most bytes of an exception that a peer is told; of a longer one its class.
LONGEST: Final = 64 << 10


def told_exit(features: frozenset[str], kind: object, error: object) -> object:
    """
    Return what a peer is told as a context is left.

    Args:
        features: What the peer supports.
        kind: The exception's class, as ``__exit__`` takes it, or None.
        error: The exception, or None.
    """
    if isinstance(error, BaseException) and FEATURE_VALUES in features:
        try:
            told = dump_exception(error, False, "")
            if len(dump(told)) <= LONGEST:
                return told
        except BaseException:  # the code of the exception's class, or arguments a mile deep
            return kind
    return kind


def exit_error(
    told: Any, *, instantiate_custom: bool = False, import_custom: bool = False
) -> BaseException:
    """
    Return the exception that a peer has told: of its own class, where that is a builtin one.

    Args:
        told: It.
        instantiate_custom, import_custom: As `load_exception` takes them.

    Raises:
        TypeError: it has told no exception.
    """
    try:
        error = load_exception(
            told, instantiate_custom=instantiate_custom, import_custom=import_custom
        )
    except RemoteProtocolError:
        raise TypeError("a context is left with None or with an exception") from None
    if type(told) is not tuple:
        return StopIteration()  # it is told by a number, and cannot come out of an await
    (module, name), args, attributes, _text = told
    plain = builtin_error(name, args) if module == "builtins" else None
    if plain is None:
        return error
    plain.args = args
    set_attributes(plain, attributes)
    return plain


def builtin_error(name: str, args: tuple[Any, ...] = ()) -> BaseException | None:
    """Return an exception of the builtin class of a name, if there is one that can be made."""
    found = getattr(builtins, name, None)
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        return None
    try:
        return found(*args)
    except Exception:  # a class that wants others, UnicodeDecodeError say
        with suppress(Exception):  # and groups are made of what is in them
            return found.__new__(found)
    return None
