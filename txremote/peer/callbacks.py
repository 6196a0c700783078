"""
Functions of the peer's that were received for a ``Callable[[T], R]`` of an annotation.

A reference to one takes its arguments as they are annotated from then on: each is checked when
it is called, and leaves as a value. It does so in a reactor and through netrefs. There is one
reference for a function, however often it is handed over. So one that was received for several
annotations takes what any of them says.
"""

from __future__ import annotations

from typing import Any

from txremote.errors import WrongValue
from txremote.peer.fetching import fetched
from txremote.refs.netref import is_base_netref
from txremote.refs.ports import Answer
from txremote.refs.received import settled
from txremote.refs.reference import RemoteReference
from txremote.refs.value_calls import Args, Kwargs, ValueCalls, as_sent, note_plans, unmarked
from txremote.values.nodes import ValueType
from txremote.values.plan import CallPlan, Place
from txremote.wire.consts import FEATURE_VALUES

_RESULT = "what the callback returned"


def note_callbacks(plan: CallPlan, args: Args, kwargs: Kwargs) -> None:
    """Note at the references to callbacks among a call's arguments how they are called."""
    for name, callback in plan.callbacks.items():
        given = kwargs.get(name)
        if name in plan.positional and plan.positional.index(name) < len(args):
            given = args[plan.positional.index(name)]
        reference = given.____ref__ if is_base_netref(given) else given
        if type(reference) is RemoteReference:
            calls = reference._call_prefixes
            known = calls.plans if type(calls) is ValueCalls else {}
            noted = known.get(())
            if type(noted) is CallbackArguments:
                noted.add(callback)
            else:
                noted = CallbackArguments(callback, reference)
                note_plans(reference, {(): noted})


class CallbackArguments:
    """How a callback takes its arguments: as this side's annotations say."""

    __slots__ = ("_as_values", "_plans")

    def __init__(self, plan: CallPlan, callback: RemoteReference) -> None:
        self._plans = [plan]
        owner: Any = callback._connection
        self._as_values = FEATURE_VALUES in owner.features

    def add(self, plan: CallPlan) -> None:
        """Take arguments as another annotation says, too."""
        if plan not in self._plans:  # they are as many as a program has annotations
            self._plans.insert(0, plan)

    def prepared(self, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """Return them marked as values, for a peer that knows values. `WrongValue`: not so."""
        bare = tuple([unmarked(arg) for arg in args])
        named = {name: unmarked(arg) for name, arg in kwargs.items()}
        plan = self._fitting(bare, named)
        if not self._as_values:
            return bare, named
        marked = [as_sent(arg) if plan.is_value(place) else arg for place, arg in enumerate(args)]
        named = {name: as_sent(arg) if plan.is_value(name) else arg for name, arg in kwargs.items()}
        return tuple(marked), named

    def answered(self, asked: Answer) -> Answer:
        """Have the result be of the annotated type, if that is a value type."""
        result = self._plans[0].result if len(self._plans) == 1 else None
        return asked if result is None else asked.addCallback(_converted, result)

    def _fitting(self, args: Args, kwargs: Kwargs) -> CallPlan:
        problem = None
        for plan in self._plans:
            try:
                plan.check(args, kwargs)
                return plan
            except WrongValue as wrong:
                problem = problem or wrong
        assert problem is not None
        raise problem


def _converted(found: object, result: ValueType) -> Any:
    """Return what a callback gave, as its annotation says: a reference's object is fetched."""
    if type(found) is RemoteReference:
        place = Place(found, result, _RESULT, ())
        return fetched([place]).addCallback(lambda copies: result.convert(copies[0], _RESULT))
    return result.convert(settled(found), _RESULT)
