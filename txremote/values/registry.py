"""
Classes that a program makes values of, by two functions of its own.

It is one registry for the process: a registered class is built wherever it comes, annotated or
not. All else about a class is declared where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, Final, TypeVar, cast

from txremote.wire.naming import full_name
from txremote.wire.value_kinds import REGISTERED_CODE, set_load
from txremote.wire.value_shapes import OTHER, Plan, plan_registered

T = TypeVar("T")

_lock: Final = Lock()
_classes: Final[dict[str, type]] = {}
_watchers: Final[list[Callable[[], object]]] = []


def register_value(
    cls: type[T],
    dump: Callable[[T], object],
    load: Callable[[Any], T],
    name: str | None = None,
) -> None:
    """
    Let the objects of a class travel as values, wherever they are sent or come.

    Both ends register it, under the same name; where one has not, what comes is a `Record`
    named "registered". Subclasses are not meant. May be called from any thread, before
    values of the class are sent.

    Args:
        cls: The class.
        dump: Takes an object of it, returns any value: what ``load`` makes an equal one of.
        load: Takes that value as it came, and must not trust it. An exception that it raises
            is the error of the call that has the value. It may run in the reactor's thread.
        name: The name of the class on the wire; by default its module and name.

    Raises:
        TypeError: ``cls`` is no class, or ``dump`` or ``load`` cannot be called.
        ValueError: another class has the name.
    """
    if not isinstance(cls, type) or not callable(dump) or not callable(load):
        raise TypeError("register_value takes a class and two functions, dump and load")
    known = name or f"{cls.__module__}.{cls.__qualname__}"
    with _lock:
        other = _classes.get(known)
        if other is not None and full_name(other) != full_name(cls):
            raise ValueError(
                f"{known!r} is the name of {full_name(other)}: give register_value another name"
            )
        _classes[known] = cls
        set_load(known, load)
        plan_registered(cls, Plan(OTHER, _payload_of(known, dump), code=REGISTERED_CODE))
    for forget in _watchers:
        forget()


def _payload_of(name: str, dump: Callable[[T], object]) -> Callable[[object], Iterable[object]]:
    def payload(value: object) -> Iterable[object]:
        return name, dump(cast(T, value))

    return payload


def when_registered(forget: Callable[[], object]) -> None:
    """Call a function after each `register_value`: what was read of annotations is outdated."""
    _watchers.append(forget)


def is_registered(cls: type) -> bool:
    """Tell whether the objects of a class are values by `register_value`."""
    return any(each is cls for each in tuple(_classes.values()))
