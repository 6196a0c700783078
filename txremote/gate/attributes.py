"""
Attributes of objects, read, set and deleted for a peer.

A name is judged by the rules that `txremote.gate.access` lists. The verdict on a method is
remembered by class and name, for as long as the class and the interfaces are as they were.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from zope.interface import providedBy

from txremote.config import ConnectionConfig
from txremote.gate.builtin_types import (
    BY_VALUE,
    CLOSED,
    CONTAINERS,
    DENIED,
    FUNCTION_HOLDERS,
    MAYBE_BY_VALUE,
)
from txremote.gate.converted import (
    ConvertedAttribute,
    ConvertedMethod,
    KnownPlans,
    copies_values,
    flow_plan_of,
    plan_of,
)
from txremote.gate.exposure import (
    LIFECYCLE,
    Exposure,
    checked,
    declared_by,
    exposure_of,
    is_exposed,
    is_hook,
    shown,
    static,
)
from txremote.gate.machinery import machinery
from txremote.gate.refusals import refusal
from txremote.gate.unbound import ClassFunctions
from txremote.gate.weight import MOST_REMEMBERED
from txremote.refs.contract import MethodContract
from txremote.values.plan import CallPlan
from txremote.values.planning import attribute_plan
from txremote.values.record_classes import record_classes
from txremote.wire.brine import dumpable
from txremote.wire.naming import class_name
from txremote.wire.record import Record, record_fields


def _check_switch(name: str, allowed: bool, switch: str) -> None:
    if not allowed:
        raise AttributeError(f"cannot access {shown(name)}: allow_{switch} is off")


_OF_DICTS = type(dict.keys)

# What is known of a name of a class: the name it is reached by, and the function and the
# interfaces it was judged by: it holds for an object of the class as long as both are the
# same. A plain tuple, which is unpacked at each call.
_Verdict = tuple[str, types.FunctionType, object]


def make_room(verdicts: dict[type, Any]) -> None:
    """Make room for one more class in what is remembered by class."""
    if len(verdicts) >= MOST_REMEMBERED:
        verdicts.clear()


@dataclass(frozen=True, slots=True)
class AttributePolicy:
    """Decides which attributes of an object a peer may read, set and delete."""

    #: Whether the peer may fetch records that it holds with all their fields.
    gives_records: ClassVar[bool] = False

    config: ConnectionConfig
    _prefix: str = field(init=False, repr=False, compare=False)
    _safe: frozenset[str] = field(init=False, repr=False, compare=False)
    _exposure: Callable[[object], Exposure | None] = field(init=False, repr=False, compare=False)
    _methods: dict[type, dict[str, _Verdict]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _known: KnownPlans | None = field(init=False, repr=False, compare=False, default=None)
    # whether whatever the switches open is open, with nothing held back
    _trusting: bool = field(init=False, repr=False, compare=False)
    _of_classes: ClassFunctions = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        config = self.config
        set_field = object.__setattr__
        set_field(self, "_prefix", config.exposed_prefix if config.allow_exposed_attrs else "")
        set_field(self, "_safe", config.safe_attrs if config.allow_safe_attrs else frozenset())
        set_field(self, "_trusting", config.allow_all_attrs or config.own_program)
        by_interface = config.allow_exposed_attrs and not self._trusting
        set_field(self, "_exposure", exposure_of if by_interface else lambda _obj: None)
        set_field(self, "_of_classes", ClassFunctions(self.get))

    def get(self, obj: object, name: object) -> Any:
        """Read an attribute for the peer, or raise AttributeError, or TypeError for no name."""
        kind = type(obj)
        methods = self._methods.get(kind)
        if methods is not None and type(name) is str and (known := methods.get(name)) is not None:
            # each call comes here: what has been found out, if nothing has changed since
            reachable, function, then = known
            if (
                getattr(kind, reachable, None) is function
                and getattr(kind, "_rpyc_getattr", None) is None
                and then is (declared_by(obj) if then is None else providedBy(obj).__iro__)
            ):
                return getattr(obj, reachable)
        if self._known is not None and (planned := self._known_plan(obj, name)) is not None:
            return planned
        name = self._asked(obj, name)
        override = getattr(kind, "_rpyc_getattr", None)
        if override is not None:
            return self._given(obj, override(obj, name))
        declared = declared_by(obj)
        exposure = self._exposure(obj)
        if exposure is not None:
            self._check_no_hook(obj, name)
            _check_switch(name, self.config.allow_getattr, "getattr")
            method = exposure.method(name, self._safe)
            found = self._read(obj, name)
            reads = self._reads_annotations(obj)
            if method is None:
                return self._attribute(obj, name, found) if reads else found
            plan = self._read_plan(found, method) if reads else flow_plan_of(found)
            return checked(method, found) if plan is None else ConvertedMethod(found, plan, method)
        reachable = self._reachable(obj, name, self.config.allow_getattr, "getattr")
        if not self._reads_annotations(obj):
            found = self._read(obj, reachable)
            plan = flow_plan_of(found)
            self._remember(obj, name, reachable, declared, plan)
            return found if plan is None else ConvertedMethod(found, plan)
        found = self._read(obj, reachable)
        plan = self._read_plan(found)
        self._remember(obj, name, reachable, declared, plan)
        return (
            self._attribute(obj, reachable, found) if plan is None else ConvertedMethod(found, plan)
        )

    def _attribute(self, obj: object, name: str, found: object) -> object:
        """Return what was read, with its plan if it is of an attribute declared as a value."""
        kind = type(obj)
        plan = attribute_plan(kind, name)
        if plan is None:
            return found
        self._note(plan)
        return ConvertedAttribute(found, plan, f"{kind.__qualname__}.{name}")

    def _read_plan(self, found: object, method: MethodContract | None = None) -> CallPlan | None:
        """Return the plan of what was found, and note the classes that it declares values."""
        plan = plan_of(found, method)
        if plan is not None:
            self._note(plan)
        return plan

    def _note(self, plan: CallPlan) -> None:
        """Note the classes that a plan declares values."""
        if plan not in self._plans.read:
            self._plans.read.add(plan)
            self._plans.records |= record_classes(plan)

    @property
    def declared_records(self) -> Container[type]:
        """The classes that are declared as values by annotations that were read."""
        return () if self._known is None else self._known.records

    def _given(self, obj: object, found: object) -> object:
        """Return what an object's ``_rpyc_getattr`` gave, with its plan if it is a method."""
        plan = self._read_plan(found) if self._reads_annotations(obj) else None
        return found if plan is None else ConvertedMethod(found, plan)

    def _known_plan(self, obj: object, name: object) -> ConvertedMethod | None:
        """Return a method that is known to declare values, if nothing has changed since."""
        kind = type(obj)
        known = self._plans.planned.get(kind)
        if known is None or type(name) is not str or name not in known:
            return None
        reachable, function, then, plan = known[name]
        if (
            getattr(kind, reachable, None) is not function
            or getattr(kind, "_rpyc_getattr", None) is not None
            or then is not declared_by(obj)
        ):
            return None
        found = getattr(obj, reachable)
        if type(found) is types.MethodType and found.__func__ is function:
            return ConvertedMethod(found, plan)
        return None  # the object has another of its own

    @property
    def _plans(self) -> KnownPlans:
        """The annotations that were read: none, in most programs."""
        if self._known is None:
            object.__setattr__(self, "_known", KnownPlans())
        found = self._known
        assert found is not None
        return found

    def _reads_annotations(self, obj: object) -> bool:
        """Tell whether annotations of an object's methods declare how arguments travel."""
        return self.config.values or copies_values(obj)

    def _read(self, obj: Any, name: str) -> object:
        """Read what may be read; from a class no function that takes any object."""
        found = getattr(obj, name)
        if issubclass(type(obj), type) and not self._trusting:
            return self._of_classes.given(obj, name, found)
        return found

    def _remember(
        self,
        obj: object,
        name: str,
        reachable: str,
        declared: object,
        plan: CallPlan | None = None,
    ) -> None:
        """Keep the verdict on a class's method if it holds for each object of the class."""
        kind = type(obj)
        if issubclass(kind, type):
            return  # what was found may be the class's own, and not the metaclass's
        if reachable != name and (reachable != self._prefix + name or self._plain(obj, name)):
            return  # an object that has the other of the two names is read by that
        function = static(obj, reachable)
        if type(function) is types.FunctionType:
            if plan is not None:
                planned = self._plans.planned
                make_room(planned)
                planned.setdefault(kind, {})[name] = reachable, function, declared, plan
                return
            make_room(self._methods)
            self._methods.setdefault(kind, {})[name] = reachable, function, declared

    def set(self, obj: object, name: object, value: object) -> None:
        """Set an attribute for the peer. Raises as `get` does."""
        name = self._asked(obj, name)
        override = getattr(type(obj), "_rpyc_setattr", None)
        if override is not None:
            override(obj, name, value)
        else:
            setattr(obj, self._changeable(obj, name, self.config.allow_setattr, "setattr"), value)

    def delete(self, obj: object, name: object) -> None:
        """Delete an attribute for the peer. Raises as `get` does."""
        name = self._asked(obj, name)
        override = getattr(type(obj), "_rpyc_delattr", None)
        if override is not None:
            override(obj, name)
        else:
            delattr(obj, self._changeable(obj, name, self.config.allow_delattr, "delattr"))

    def _changeable(self, obj: object, name: str, allowed: bool, switch: str) -> str:
        """Return the attribute that a name to be set or deleted stands for."""
        exposure = self._exposure(obj)
        if exposure is None:
            return self._reachable(obj, name, allowed, switch)
        self._check_no_hook(obj, name)
        _check_switch(name, allowed, switch)
        exposure.check_attribute(name)
        return name

    def _asked(self, obj: object, name: object) -> str:
        self.check_reference(obj)
        if type(name) is str:
            return name
        if type(name) is bytes:
            try:
                return name.decode()
            except UnicodeDecodeError:
                raise AttributeError(f"a name that is no UTF-8: {name!r}") from None
        raise TypeError(f"an attribute's name is a str, not {type(name).__name__}")

    def check_reference(self, obj: object) -> None:
        """Check that an object is one of ours. TypeError: it is a value that was sent along."""
        if self.is_value(obj):
            raise TypeError(f"a {class_name(type(obj))} by value is no reference to an object here")

    def is_value(self, obj: object) -> bool:
        """Tell whether an object travels by value, so that nobody holds a reference to it."""
        kind = type(obj)
        return kind in BY_VALUE or (kind in MAYBE_BY_VALUE and dumpable(obj))

    def _plain(self, obj: object, name: str) -> bool:
        """Tell whether a name is reachable as it stands."""
        config = self.config
        if config.allow_all_attrs:
            return True
        if is_hook(obj, name) and not self._trusting:
            return False
        kind = type(obj)
        if name in DENIED and issubclass(kind, (bytes, bytearray, str)):
            return False
        if name in self._safe:
            return True
        if kind is Record and name in record_fields(cast(Record, obj)):
            return True  # it came from a peer, as a copy
        closed = CLOSED.get(kind)
        if closed is not None:
            return name in closed
        table = CONTAINERS.get(kind)
        if table is not None and name in table:
            return True
        if name == "keys" and "__iter__" in self._safe and type(static(obj, name)) is _OF_DICTS:
            # without it dict(netref) of a class derived from dict takes its keys for pairs
            return issubclass(kind, dict)
        if config.allow_public_attrs and not name.startswith("_") and self._is_public(obj, name):
            return True
        if self._prefix:
            return name.startswith(self._prefix) or is_exposed(static(obj, name), self._prefix)
        return False

    def _is_public(self, obj: object, name: str) -> bool:
        """Tell whether the switch for public names opens one of an object."""
        if self._trusting:
            return True
        kind = type(obj)
        return not (
            issubclass(kind, FUNCTION_HOLDERS)
            or machinery(kind) is not None
            or (name in LIFECYCLE and static(obj, "startService") is not None)
        )

    def _check_no_hook(self, obj: object, name: str) -> None:
        """Check that a name is no hook. AttributeError: it is one, be it marked or not."""
        if self._trusting or not is_hook(obj, name.removeprefix(self._prefix)):
            return
        own = static(obj, self._prefix + name.removeprefix(self._prefix)) if self._prefix else None
        if own is None or own is static(obj, name.removeprefix(self._prefix)):
            raise AttributeError(f"cannot access {name!r}: a connection calls it, and no peer")

    def _reachable(self, obj: object, name: str, allowed: bool, switch: str) -> str:
        """Return the attribute that a name stands for (rpyc 6.0.2 ``Connection._check_attr``)."""
        self._check_no_hook(obj, name)
        _check_switch(name, allowed, switch)
        plain = self._plain(obj, name)
        prefix = self._prefix
        if not prefix:
            if plain:
                return name
            raise refusal(obj, name, prefix)
        prefixed = prefix + name
        has_prefixed = static(obj, prefixed) is not None or hasattr(obj, prefixed)
        if plain and not has_prefixed:
            if name.startswith(prefix):
                # exposed_add, where the method is add and has the mark
                short = name[len(prefix) :]
                if static(obj, name) is None and is_exposed(static(obj, short), prefix):
                    return short
            return name
        if has_prefixed:
            return name if plain and hasattr(obj, name) else prefixed
        raise refusal(obj, name, prefix)
