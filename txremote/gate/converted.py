"""
Methods, functions and attributes whose annotations say what travels as a value.

Where annotations are read, the gate gives a `ConvertedMethod` in place of the bound method: for all
that a connection reaches by the switch ``values``, for a service's own methods by the keyword of
its class. A call for a peer (`txremote.peer.converting`) converts the arguments first, and checks
the result. Handed out as an object, it is the method itself.

A property, or an attribute that its class annotates, is given as a `ConvertedAttribute`: what it
holds is checked and leaves as a value where it is read, and is itself where a path goes on from it.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import Any
from weakref import WeakSet

from txremote.gate.threaded import ThreadedMethod
from txremote.refs.contract import MethodContract
from txremote.values.flows import flow_plan
from txremote.values.plan import CallPlan
from txremote.values.planning import call_plan


def flow_plan_of(found: Any) -> CallPlan | None:
    """Return the plan of a method that is declared to give a stream, whatever else it declares."""
    if type(found) not in BOUND:
        return None
    method = found.function if type(found) is ThreadedMethod else found
    plan = flow_plan(method)
    # a service of RPyC's that is hosted is asked for each item, as it was written for
    return None if plan is None or _is_of_rpyc(method) else plan


def _is_of_rpyc(method: Any) -> bool:
    owner = type(getattr(method, "__self__", None))
    return any(base.__module__.partition(".")[0] == "rpyc" for base in owner.__mro__)


#: The types of what may be bound to an object.
BOUND = frozenset({MethodType, ThreadedMethod})
_ANNOTATED = BOUND | {FunctionType}


class ConvertedMethod:
    """
    A function or bound method, with how its arguments and its result travel.

    Attributes:
        function: It, as it is called.
        plan: Of its annotations.
        contract: How an opened interface says that it is called, or None.
    """

    __slots__ = ("contract", "function", "plan")

    def __init__(
        self, function: Any, plan: CallPlan, contract: MethodContract | None = None
    ) -> None:
        self.function = function
        self.plan = plan
        self.contract = contract

    @property
    def qualname(self) -> str:
        """Its name with its class, for a log."""
        return str(getattr(self.function, "__qualname__", "a method"))


class ConvertedAttribute:
    """
    An attribute or a property that is declared as a value, as it was read.

    Attributes:
        found: The object's value of it.
        plan: Of the annotation; it has a result only.
        qualname: The attribute's name with its class, for a log.
    """

    __slots__ = ("found", "plan", "qualname")

    def __init__(self, found: object, plan: CallPlan, qualname: str) -> None:
        self.found = found
        self.plan = plan
        self.qualname = qualname


#: What is known of a method of a class: the name it is reached by, the function and the
#: interfaces it was judged by, and its plan.
PlannedVerdict = tuple[str, FunctionType, object, CallPlan]

#: Pairs of a method's name and what `CallPlan.describe` gives.
Description = tuple[tuple[str, tuple[object, ...]], ...]


class KnownPlans:
    """
    The annotations that a gate has read.

    Attributes:
        planned: By class and name, methods that declare values.
        descriptions: By class, what is described of it, and the interfaces it was judged by.
        read: The plans that were found.
        records: The classes in their annotations.
    """

    __slots__ = ("descriptions", "planned", "read", "records")

    def __init__(self) -> None:
        self.planned: dict[type, dict[str, PlannedVerdict]] = {}
        self.descriptions: dict[type, tuple[object, Description | None]] = {}
        self.read: WeakSet[CallPlan] = WeakSet()
        self.records: WeakSet[type] = WeakSet()


def copies_values(owner: object) -> bool:
    """Tell whether an object's class, or a class itself, was declared with ``values=True``."""
    kind = type(owner)
    return getattr(owner if issubclass(kind, type) else kind, "_copies_values", False) is True


def is_of_declared(method: Any) -> bool:
    """Tell whether a method is bound to an object whose class `copies_values`."""
    if type(method) is ThreadedMethod:
        method = method.function
    return type(method) is MethodType and copies_values(method.__self__)


def plan_of(function: Any, contract: MethodContract | None = None) -> CallPlan | None:
    """
    Return how what is called for a peer takes its arguments; None: by reference, all of them.

    Where an interface declares the method, the interface's annotations count, and the method's
    own if it has none.
    """
    if contract is not None:
        written = contract.function()
        plan = None if written is None else call_plan(written)
        if plan is not None:
            return plan
    if type(function) is ThreadedMethod:
        function = function.function
    if type(function) in _ANNOTATED or issubclass(type(function), type):
        return call_plan(function)
    return None
