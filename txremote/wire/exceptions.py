"""
Exceptions to tuples and back (RPyC calls this vinegar).

An exception travels as `EXC_STOP_ITERATION` or as brine of ``((module, class name), args,
((attribute, value), ...), traceback text)``. A value that brine cannot carry travels as its
repr. Reading all that runs code of a program's class: whatever it raises, SystemExit
included, costs that part and no more.

The way back makes a subclass of the named class whose ``str()`` has the remote traceback
appended, as in RPyC. Only builtin subclasses of `Exception` and txremote's own errors are
made by name, any other name gives a `GenericException` subclass: a peer cannot raise
`SystemExit` or `KeyboardInterrupt` here.

A group of exceptions, which RPyC does not know, carries its own as 4-tuples in one more
attribute, ``_exceptions``.
"""

from __future__ import annotations

import builtins
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from types import TracebackType
from typing import Any

from txremote import errors
from txremote.errors import GenericException, RemoteProtocolError, RemoteStopIteration
from txremote.wire.brine import dumpable
from txremote.wire.consts import EXC_STOP_ITERATION
from txremote.wire.naming import class_module, class_name, is_a, text_of

TRACEBACK_DENIED = "<traceback denied>"
# A version with another major number makes a stock peer append a warning to the
# traceback, a value that is no str makes it fail (rpyc 6.0.2 vinegar.load).
_VERSION = ("_remote_version", "<version denied>")

_HEADER = "Traceback (most recent call last):\n"
_REMOTE_LINE = "\n\n========= Remote Traceback ({}) =========\n"
_REMOTE_MARK = "========= Remote Traceback "

# Of our own errors those that are about the call. ConnectionLost is not: the
# peer lost some other connection, and this one is as it was. CallCut is: its server says so.
_REBUILT = frozenset(
    "RemoteProtocolError NotSendable AsyncResultTimeout DeadReferenceError ServerStopping "
    "CallCut SubscriberTooSlow WrongValue".split()
)

# "<Thing object at 0x7f...>", and "<DelayedCall 0x7f...>"
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]{4,}|(?<=<)([\w.]+) 0x[0-9A-Fa-f]{6,}")
# Frames of these rooms stand between the reactor and the program's own code.
_OURS = ("txremote.peer.", "txremote.gate.")
_exceptions_of = BaseExceptionGroup.__dict__["exceptions"].__get__
_FRAME = re.compile(r'^  File "(.+)", line (\d+), in ', re.MULTILINE)
_RUNS_JOBS = re.compile(r"[/\\]txremote[/\\]work[/\\]")
_cause_of = BaseException.__dict__["__cause__"].__get__
_traceback_of = BaseException.__dict__["__traceback__"].__get__
_MOST_ATTRIBUTES = 100
_IN_GROUP = "_exceptions"
_MOST_IN_GROUPS = 100
_DEEPEST_GROUP = 10
_LONGEST_REPR = 10_000
_LONGEST_NAME = 500
_KEPT = frozenset({"args", "add_note", "with_traceback"})
# What Python itself attaches: the object that lacks an attribute, and a file.
_NOT_TOLD = frozenset({"obj", "path", "name_from"})


class RemoteTraceback(Exception):
    """
    The traceback of a job's exception where it was raised, as its ``__cause__``.

    Attributes:
        text: The traceback.
        name: The job, if that is known.
    """

    def __init__(self, text: str, name: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.name = name

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'

    @property
    def line(self) -> str:
        """The last line of the job's own file, ``shop.py:12``; empty if there is none."""
        found = [frame for frame in _FRAME.findall(self.text) if not _RUNS_JOBS.search(frame[0])]
        numbers = [number for file, number in found if file == found[0][0]]
        return f"{os.path.basename(found[0][0])}:{numbers[-1]}" if numbers else ""


def remote_traceback(error: BaseException) -> RemoteTraceback | None:
    """Return the traceback of an exception that a job in another process has raised."""
    cause = _cause_of(error)
    return cause if type(cause) is RemoteTraceback else None


def without_addresses(text: str) -> str:
    """Return a repr without the memory addresses in it."""
    return _ADDRESS.sub(r"\1", text)


def safe_repr(value: object) -> str:
    """Return a value's repr without addresses, whatever its ``__repr__`` does."""
    text = text_of(value)
    if text is None:
        text = f"<unprintable {class_name(type(value))}>"
    # the repr of a foreign object may hold what UTF-8 cannot carry
    return without_addresses(text[:_LONGEST_REPR]).encode("utf-8", "replace").decode()


def _carried(value: object) -> object:
    if not dumpable(value):
        return safe_repr(value)
    # a message is often made of some object's repr
    return without_addresses(value) if type(value) is str else value


def _attributes(error: BaseException) -> Iterable[tuple[str, object]]:
    """Give the public data attributes that can be set again at the other end."""
    seen = 0
    try:
        names = dir(error)
    except BaseException:  # a foreign __dir__ may raise anything, and this is an error path
        return
    for name in names:
        if type(name) is not str or name.startswith("_") or name in _KEPT or not dumpable(name):
            continue
        if name in _NOT_TOLD and is_a(error, (AttributeError, ImportError)):
            continue
        try:
            value = getattr(error, name)
        except BaseException:  # a property may raise anything; rpyc issue 108
            continue
        if callable(value):
            continue
        if value is None and is_a(error, OSError) and hasattr(OSError, name):
            continue  # OSError.__str__ takes a filename that was *set* to None for one
        seen += 1
        if seen > _MOST_ATTRIBUTES:
            return
        yield name, _carried(value)


def _args(error: BaseException) -> tuple[object, ...]:
    try:
        args = error.args
    except BaseException:  # a subclass may have made a property of it
        return ()
    return args if type(args) is tuple else ()


def dump_exception(
    error: BaseException, include_traceback: bool, denied: str = TRACEBACK_DENIED
) -> object:
    """Return an exception as the value that travels, with the text ``denied`` or a traceback."""
    kind = type(error)
    if kind is RemoteStopIteration or (kind is StopIteration and not error.args):
        return EXC_STOP_ITERATION
    return _dumped(error, include_traceback, denied, [_MOST_IN_GROUPS], 0)


def _dumped(
    error: BaseException, include_traceback: bool, denied: str, left: list[int], depth: int
) -> object:
    module = class_module(type(error))
    text = format_traceback(error) if include_traceback else denied
    attributes = (*_attributes(error), _VERSION)
    if is_a(error, BaseExceptionGroup):
        if module == "builtins":
            # a stock peer would call its __new__ without the arguments it needs
            module = "exceptiongroup"
        inner = _group_of(error)[: max(0, left[0])] if depth < _DEEPEST_GROUP else ()
        left[0] -= len(inner)
        dumped = tuple(_dumped(each, include_traceback, denied, left, depth + 1) for each in inner)
        attributes = (*attributes, (_IN_GROUP, dumped))
    args = tuple(_carried(arg) for arg in _args(error))
    return (module, class_name(type(error))), args, attributes, text


def _group_of(error: BaseException) -> tuple[BaseException, ...]:
    """Return the exceptions in a group, whatever its class makes of that attribute."""
    told: tuple[BaseException, ...] = _exceptions_of(error)
    return told


def traceback_of(error: BaseException) -> TracebackType | None:
    """Return an exception's traceback, whatever its class makes of ``__traceback__``."""
    told: TracebackType | None = _traceback_of(error)
    return told


def frames_beyond(error: BaseException) -> TracebackType | None:
    """Return an exception's traceback from the program's own code on, if it has come there."""
    told = traceback_of(error)
    while told is not None and module_of(told).startswith(_OURS):
        told = told.tb_next
    return told


def module_of(frame: TracebackType) -> str:
    """Return a frame's module. By its file's name a compiled function's would not be known."""
    name = frame.tb_frame.f_globals.get("__name__")
    return name if type(name) is str else ""


def format_traceback(error: BaseException) -> str:
    """Return a traceback, without our frames that led into it, as text that UTF-8 can carry."""
    whole = traceback_of(error)
    told = frames_beyond(error)
    try:
        with _without_objects(error):
            text = "".join(traceback.format_exception(type(error), error, told))
        if told is None and whole is not None and error.__context__ is error.__cause__ is None:
            text = _HEADER + text  # a builtin was called, which has no frames of its own
    except BaseException:  # __str__ of a foreign exception may raise anything
        text = f"<a traceback of {class_name(type(error))} that could not be printed>"
    return text.encode("utf-8", "replace").decode()


@contextmanager
def _without_objects(error: BaseException) -> Iterator[None]:
    """Take the objects off exceptions: Python would print their names, private ones too."""
    taken: list[tuple[AttributeError, object]] = []
    left: list[BaseException | None] = [error]
    seen: set[int] = set()
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        left += (each.__cause__, each.__context__)
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
        if isinstance(each, AttributeError) and each.obj is not None:
            taken.append((each, each.obj))
            each.obj = None
    try:
        yield
    finally:
        for each, obj in taken:
            each.obj = obj


def without_remote_traceback(error: BaseException) -> str:
    """Return what an error says, without the remote traceback that its text goes on with."""
    return str(error).split(f"\n\n{_REMOTE_MARK}", 1)[0]


@lru_cache(maxsize=512)
def _with_remote_traceback(base: type[Exception]) -> type[Exception]:
    """Return a subclass of an exception class that shows its remote traceback."""

    class Remote(base):  # type: ignore[valid-type,misc]
        _remote_tb: str

        def __str__(self) -> str:
            text = text_of(self, base.__str__)
            if text is None:  # it was made without its arguments
                text = "<unprintable exception>"
            told = getattr(self, "_remote_tb", None)
            if told:
                text += _REMOTE_LINE.format(told.count(_REMOTE_MARK) + 1) + told
            return text

        def __repr__(self) -> str:
            return str(self)

    Remote.__name__ = base.__name__
    Remote.__qualname__ = base.__qualname__
    Remote.__module__ = base.__module__
    return Remote


def _generic_class(full_name: str, *bases: type) -> type[Exception]:
    # the names are the peer's: of any length, and with bytes that no class may have
    return _generic_class_named(full_name[:_LONGEST_NAME].replace("\0", "?"), bases)


@lru_cache(maxsize=512)
def _generic_class_named(full_name: str, bases: tuple[type, ...]) -> type[Exception]:
    return type(full_name, (*bases, GenericException), {"__module__": "txremote.remote"})


def _known_class(module: str, name: str, instantiate: bool, import_: bool) -> type[Exception]:
    found: Any = None
    if module == "builtins":
        found = getattr(builtins, name, None)
    elif module == "txremote.errors" and name in _REBUILT:
        found = getattr(errors, name)
    elif instantiate:
        try:
            if import_ and module not in sys.modules:
                __import__(module)
            found = getattr(sys.modules.get(module), name, None)
        except BaseException:  # the peer's module need not exist or work here: it may exit
            return _generic_class(f"{module}.{name}")
    is_error = issubclass(type(found), type) and issubclass(found, Exception)
    # no StopIteration: it cannot come out of an await (see RemoteStopIteration)
    if is_error and not issubclass(found, StopIteration):
        return found  # type: ignore[no-any-return]
    return _generic_class(f"{module}.{name}")


def load_exception(
    value: Any, *, instantiate_custom: bool = False, import_custom: bool = False
) -> Exception:
    """
    Rebuild an exception from what travelled, with the traceback's text as ``_remote_tb``.

    Args:
        value: The decoded value.
        instantiate_custom: RPyC's ``instantiate_custom_exceptions``: whether classes of modules
            that are loaded here may be made by name.
        import_custom: RPyC's ``import_custom_exceptions``: whether modules are loaded for that.

    Raises:
        RemoteProtocolError: the value is no exception's.
    """
    if value == EXC_STOP_ITERATION and type(value) is int:
        return RemoteStopIteration()
    try:
        (module, name), args, attributes, text = value
        pairs = [(key, item) for key, item in attributes]
    except (TypeError, ValueError):
        raise RemoteProtocolError("an exception that is no 4-tuple") from None
    if not (type(module) is type(name) is type(text) is str and type(args) is tuple):
        raise RemoteProtocolError("an exception with parts of a wrong type")
    if module == "builtins" and name == "StopIteration":
        return RemoteStopIteration(*args)
    base = _known_class(module, name, instantiate_custom, import_custom)
    error: Exception | None = None
    dumped = next((item for key, item in pairs if key == _IN_GROUP), None)
    if type(dumped) is tuple and dumped:
        if len(dumped) > _MOST_IN_GROUPS:
            raise RemoteProtocolError(f"a group of more than {_MOST_IN_GROUPS} exceptions")
        load = partial(
            load_exception, instantiate_custom=instantiate_custom, import_custom=import_custom
        )
        error = _group(module, name, base, args, [load(each) for each in dumped])
    error = error or _bare(base, args) or _bare(_generic_class(f"{module}.{name}"), args)
    assert error is not None
    set_attributes(error, pairs)
    for key, item in pairs:
        if key == _VERSION[0] and type(item) is str:
            error._remote_version = item  # type: ignore[attr-defined]
    error._remote_tb = text  # type: ignore[attr-defined]
    return error


def set_attributes(error: BaseException, pairs: Iterable[tuple[object, object]]) -> None:
    """Set the public attributes that an exception had, as far as its class lets them be set."""
    for key, item in pairs:
        if type(key) is str and not key.startswith("_") and key not in _KEPT:
            try:
                if item is None and getattr(error, key, key) is None:
                    continue  # an OSError from a stock peer, as in _attributes
                setattr(error, key, item)
            except BaseException:  # a property without a setter, or with a strict one
                continue


def _group(
    module: str, name: str, base: type[Exception], args: tuple[Any, ...], inner: list[Exception]
) -> Exception | None:
    message = args[0] if args and type(args[0]) is str else ""
    if module == "exceptiongroup" and name in ("ExceptionGroup", "BaseExceptionGroup"):
        base = ExceptionGroup  # all that is made here is an Exception
    elif not issubclass(base, ExceptionGroup):
        base = _generic_class(f"{module}.{name}", ExceptionGroup)
    try:
        kind: Any = _with_remote_traceback(base)  # type: ignore[arg-type]  # a class is hashable
        error: Exception = ExceptionGroup.__new__(kind, message, inner)
        error.args = args
    except BaseException:  # somebody's class may want anything
        return None
    return error


def _bare(base: type[Exception], args: tuple[object, ...]) -> Exception | None:
    """Make an exception without calling its ``__init__``, as unpickling would."""
    try:
        kind = _with_remote_traceback(base)  # type: ignore[arg-type]  # a class is hashable
        error = kind.__new__(kind)
        error.args = args
        error._remote_tb = ""  # type: ignore[attr-defined]
        # what Twisted's Failure, and many a test for a kind, will read
        error.__class__, error.__traceback__  # noqa: B018
    except BaseException:  # __new__ may need arguments (ExceptionGroup's does)
        return None
    return error
