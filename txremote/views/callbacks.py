"""
`with_callbacks`: functions of this side's for a ``Callable[[T], R]`` of a view's declaration.

The peer calls them with values, which arrive as the codec or a copy gives them, and the function
gets what is declared. It is wrapped for that, once for as long as the peer holds it: a function
that is handed over again, to unsubscribe say, is the same object to the peer, whatever is
declared there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, cast
from weakref import WeakValueDictionary

from txremote.errors import WrongValue
from txremote.peer.fetching import fetched, fetched_here
from txremote.refs.netref import is_base_netref
from txremote.refs.reference import RemoteReference
from txremote.values.plan import CallPlan, fetched as with_fetched

Args = tuple[object, ...]
Kwargs = dict[str, object]

#: Callables of a program's own. Others are handed over as they are, and decide for themselves.
_WRAPPED = (FunctionType, MethodType, BuiltinFunctionType, functools.partial)

_PLANS = "____plans__"
_SHOWN = ("__module__", "__name__", "__qualname__", "__doc__")

_made: WeakValueDictionary[object, FunctionType] = WeakValueDictionary()


def with_callbacks(plan: CallPlan | None, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """Return arguments with callbacks that get their own arguments as they are declared."""
    declared = {} if plan is None else plan.callbacks
    if not declared and not _made:
        return args, kwargs
    names = () if plan is None else plan.positional
    places = [
        _converting(arg, declared.get(names[place]) if place < len(names) else None)
        for place, arg in enumerate(args)
    ]
    words = {name: _converting(arg, declared.get(name)) for name, arg in kwargs.items()}
    return tuple(places), words


def _converting(function: object, plan: CallPlan | None) -> object:
    if not isinstance(function, _WRAPPED):
        return function
    try:
        known = _made.get(function)
    except TypeError:  # it has no hash: each time it is another
        known = None
    if plan is None or not plan.has_arguments:
        return function if known is None else known
    if known is None:
        known = _wrapper(function)
        with suppress(TypeError):
            _made[function] = known
    plans: list[CallPlan] = vars(known)[_PLANS]
    if all(each.signature_text != plan.signature_text for each in plans):
        plans.append(plan)  # they are as many as a program has annotations
    return known


def _wrapper(function: Callable[..., object]) -> FunctionType:
    plans: list[CallPlan] = []

    def callback(*args: object, **kwargs: object) -> object:
        places = plans[0].unfetched(args, kwargs, _is_reference)

        def call(copies: list[Any]) -> object:
            given = with_fetched(args, kwargs, zip(places, copies, strict=True))
            places_and_names = _converted(plans, *given)
            return function(*places_and_names[0], **places_and_names[1])

        if not places:
            return call([])
        if any(is_base_netref(place.value) for place in places):  # in a thread
            return call(fetched_here(places))
        return fetched(places).addCallback(call)

    # without annotations: what they say has been done here
    functools.update_wrapper(callback, function, _SHOWN, ())
    del vars(callback)["__wrapped__"]
    vars(callback)[_PLANS] = plans
    return cast(FunctionType, callback)


def _converted(plans: list[CallPlan], args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """Convert by the first plan that fits: a function may have been handed over for several."""
    problem: WrongValue | None = None
    for plan in plans:
        try:
            return plan.convert(args, kwargs)
        except WrongValue as wrong:
            problem = problem or wrong
    assert problem is not None
    raise problem


def _is_reference(value: object) -> bool:
    return type(value) is RemoteReference or is_base_netref(value)
