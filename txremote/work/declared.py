"""
Records in the arguments of a job, and the types that its function declares.

A value that a peer sends where nothing is declared arrives as a `Record`, or as a list or dict with
some in it. A service may hand it on to a job whose function does declare what it takes. Then the
function goes to its pool as a `DeclaredCall`: in its thread or process the arguments are converted
before the function begins, and its result is checked. The error of a wrong one is the job's, and
names the place.

A job without records is none of this: a program's own objects are passed on as they are.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from txremote.values.planning import call_plan
from txremote.wire.record import Record
from txremote.work.named import FunctionByName

_DICTS = frozenset({dict, OrderedDict, defaultdict})
_CONTAINERS = _DICTS | {list, tuple, set, frozenset, deque}

#: The types of what may be a record or hold one.
MAY_HOLD_RECORDS = _CONTAINERS | {Record}

#: Stands in the pickled form of whatever holds a record.
RECORD_MODULE = Record.__module__.encode()


class DeclaredCall:
    """A function that takes records for what it declares. It goes by value to a process."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def __call__(self, /, *args: object, **kwargs: object) -> object:
        """
        Call the function. In the job's thread or process.

        Raises:
            WrongValue: an argument is not what the function declares, or its result is not.
        """
        function = self.function
        if type(function) is FunctionByName:
            function = function.find()
        plan = call_plan(function) if holds_record((args, kwargs)) else None
        if plan is None:
            return function(*args, **kwargs)
        args, kwargs = plan.convert(args, kwargs)
        result = function(*args, **kwargs)
        plan.check_result(result)
        return result


def declared(
    function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> Callable[..., object]:
    """Return a function as it takes such arguments: itself if there can be no records in them."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        if type(value) in MAY_HOLD_RECORDS:
            return DeclaredCall(function) if _may_declare(function) else function
    return function


def _may_declare(function: Callable[..., object]) -> bool:
    """Tell whether a function may have annotations; nothing is asked, for it may be remote."""
    if type(function) is MethodType:
        function = function.__func__
    if type(function) is not FunctionType:
        return type(function) is FunctionByName or type(function) is partial
    annotate = getattr(function, "__annotate__", None)  # Python 3.14 evaluates them when asked
    return annotate is not None or bool(getattr(function, "__annotations__", None))


def holds_record(values: Iterable[object]) -> bool:
    """Tell whether a record is among some values, or in their containers, however deep."""
    seen: set[int] = set()
    left: list[Iterable[object]] = [values]
    while left:
        items = left.pop()
        kinds = set(map(type, items))  # at the speed of C: most items are of one kind
        if Record in kinds:
            return True
        if kinds.isdisjoint(_CONTAINERS):
            continue
        inner: Any
        for inner in items:
            if type(inner) in _CONTAINERS and id(inner) not in seen:
                seen.add(id(inner))
                left.append(inner)
                if type(inner) in _DICTS:
                    left.append(inner.values())
    return False
