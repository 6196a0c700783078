"""
The gate: what a peer may do with an object of ours.

Every handler that touches an object asks here first, to compare or hash it too: RPyC's two
security advisories were about handlers that went around its gate. The rules, in their order
(`txremote.gate.attributes` applies them):

1. Only a *reference* can be worked on, and no value that the peer sent along.
2. A type with ``_rpyc_getattr`` (``_rpyc_setattr``, ``_rpyc_delattr``) decides for itself, as
   in RPyC; `restricted` is built on that.
3. The kind of access must be switched on (``allow_getattr``...).
4. An object that provides an interface opened with `expose` has the names of that interface,
   called as it says, and no others.
5. Builtin containers, iterators and generators have a fixed table of names.
6. Any other name is reachable if it is exposed, if it is a safe operator, or if a switch opens it.

An object that is handed out by reference is checked when it is boxed: modules, frames and the
like never are, and of classes, which make objects, only declared ones; nor, where public names
are open, an array, a frame or a pattern that a peer has sent. No memory address
leaks: the default repr and hash are made of the export number, and a repr loses its addresses.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, ClassVar

from txremote.errors import NotSendable
from txremote.gate import costs
from txremote.gate.attributes import AttributePolicy, make_room
from txremote.gate.builtin_types import ADDRESS_HASHES, never_handed_out
from txremote.gate.converted import BOUND, ConvertedMethod, is_of_declared
from txremote.gate.exposure import (
    answers_for_itself,
    checked,
    class_attributes,
    declared_by,
    doc_of,
    is_class,
    is_declared_class,
    is_exposed,
    is_function,
    is_method,
    is_service,
    own_attributes,
    shown,
)
from txremote.gate.fallbacks import falls_back
from txremote.gate.machinery import machinery
from txremote.gate.refusals import marking
from txremote.gate.threaded import ThreadedMethod
from txremote.gate.told import told_signature
from txremote.values.plan import CallPlan
from txremote.wire.exceptions import without_addresses
from txremote.wire.naming import class_module, class_name, class_qualname, with_article
from txremote.wire.value_origins import was_sent

COMPARISONS = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})

_ALWAYS_LISTED = frozenset({"__call__", "__array__"})


def _described(plan: CallPlan | None) -> tuple[object, ...] | None:
    return None if plan is None else plan.describe()


@dataclass(frozen=True, slots=True)
class AccessPolicy(AttributePolicy):
    """Decides what the peers of a listener may reach, call, compare and show."""

    def measured(self, obj: object, name: object, method: object) -> object:
        """Return a builtin type's method with bounds on one call (`costs.measured`)."""
        if self.config.allow_all_attrs:
            return method
        return costs.measured(obj, name, method)

    def check_handed_out(self, obj: Any) -> None:
        """Check that the peer may have a reference to an object, else raise NotSendable."""
        if self.config.allow_all_attrs:
            return
        if is_class(obj):
            if not is_declared_class(obj, self._prefix) and self._exposure(obj) is None:
                mark = marking(self.config.exposed_prefix)
                raise NotSendable(
                    f"the class {class_module(obj)}.{class_qualname(obj)} is not exposed: mark it "
                    f"with {mark}, or let it be read by a name that is exposed"
                )
            return
        what = never_handed_out(type(obj))
        if what is None and not self._trusting and not self._declares(obj):
            what = machinery(type(obj))
        if what is not None:
            raise NotSendable(
                f"{what} leads to everything and is handed out in classic mode only: expose "
                "what is needed of it"
            )
        if self.config.allow_public_attrs and not self._trusting and was_sent(obj):
            raise NotSendable(
                f"{with_article(class_name(type(obj)))} that a peer has sent is not handed out "
                "under allow_public_attrs, which would open its methods: send value(x), or what "
                "the program itself has made of it"
            )

    def _declares(self, obj: object) -> bool:
        """Tell whether an object is no part of a connection, or has anything exposed."""
        if machinery(type(obj)) is None or self._exposure(obj) is not None:
            return True
        prefix = self._prefix
        return is_service(obj) or any(
            prefix and (name.startswith(prefix) or is_exposed(value, prefix))
            for base in type(obj).__mro__
            for name, value in base.__dict__.items()
        )

    def callable(self, obj: Any) -> Any:
        """
        Return what to call for an object: a function, a class or an exposed ``__call__``.

        Raises:
            TypeError: it is no reference, or not callable.
            AttributeError: its ``__call__`` is not exposed, or not by its interface.
        """
        self.check_reference(obj)
        if not callable(obj):
            raise TypeError(f"{class_name(type(obj))!r} object is not callable")
        exposure = self._exposure(obj)
        if exposure is None:
            if issubclass(type(obj), type) and obj in costs.MAKERS:
                return obj if self.config.allow_all_attrs else costs.maker(obj)
            if not self._trusting and not is_function(obj):
                return self._exposed_call(obj)
            if self.config.values or (type(obj) in BOUND and is_of_declared(obj)):
                plan = self._read_plan(obj)
                return obj if plan is None else ConvertedMethod(obj, plan)
            return obj
        method = exposure.method("__call__")
        return obj if method is None else checked(method, obj)

    def _exposed_call(self, obj: object) -> object:
        """Return what to call for an object, if the peer may read its ``__call__``."""
        kind = type(obj)
        try:
            found = self.get(obj, "__call__")
        except AttributeError:
            if getattr(kind, "_rpyc_getattr", None) is not None:
                raise  # it says why itself
            name = class_name(kind)
            raise AttributeError(
                f"cannot call {name}: its __call__ is not exposed (mark it with "
                f"{marking(self.config.exposed_prefix)})"
            ) from None
        return found if type(found) in (ThreadedMethod, ConvertedMethod) else obj

    def comparison(self, obj: object, operator: object) -> Any:
        """Return a type's comparison. AttributeError: it is none of the six, or they are off."""
        self.check_reference(obj)
        if type(operator) is bytes:
            operator = operator.decode("ascii", "replace")
        # looked at no further if it is no str: an object would be asked for its hash
        if type(operator) is not str or operator not in COMPARISONS:
            what = shown(operator) if type(operator) is str else class_name(type(operator))
            raise AttributeError(f"cannot compare by {what}: it is no comparison")
        if operator not in self._safe and not self.config.allow_all_attrs:
            raise AttributeError(f"cannot compare by {operator!r}: it is no safe operator here")
        exposure = self._exposure(obj)
        if exposure is not None:
            exposure.method(operator, self._safe)
        compare = getattr(type(obj), operator)

        def checked_compare(own: object, other: object) -> object:
            costs.check_compared(own, other)
            return compare(own, other)

        return compare if self.config.allow_all_attrs else checked_compare

    def repr(self, obj: object, number: int, render: Any = repr) -> str:
        """Return an object's repr or str, its export number in place of its memory address."""
        self.check_reference(obj)
        kind = type(obj)
        default: Any = object
        if kind.__repr__ is default.__repr__ and (
            render is repr or kind.__str__ is default.__str__
        ):
            return f"<{class_module(kind)}.{class_qualname(kind)} object #{number}>"
        if not self.config.allow_all_attrs:
            costs.check_shown(obj)
        return without_addresses(render(obj))

    def format(self, obj: object, number: int, spec: Any = "") -> str:
        """Return an object's ``format()`` as `repr` does."""
        default: Any = object
        if type(obj).__format__ is default.__format__ and spec == "":
            return self.repr(obj, number, str)
        self.check_reference(obj)
        if not self.config.allow_all_attrs:
            costs.check_format(obj, spec)
            costs.check_shown(obj)
        return without_addresses(format(obj, spec))

    def hash(self, obj: object, number: int) -> int:
        """Return an object's hash, made of its export number if it would be of its address."""
        self.check_reference(obj)
        if type(obj).__hash__ in ADDRESS_HASHES:
            return hash((number, "txremote"))
        if not self.config.allow_all_attrs:
            costs.check_hashed(obj)
        return hash(obj)

    def names(self, obj: object) -> tuple[str, ...]:
        """Return the names that `get` would find: what ``dir()`` shows the peer."""
        self.check_reference(obj)
        if self.config.allow_all_attrs:
            return tuple(dir(obj))
        exposure = self._exposure(obj)
        if exposure is not None:
            return tuple(sorted(exposure.names()))
        found = set()
        prefix = self._prefix
        for name in dir(obj):
            if self._plain(obj, name):
                found.add(name)
                if prefix and name.startswith(prefix):
                    found.add(name[len(prefix) :])
        return tuple(sorted(found))

    def methods(self, obj: object) -> tuple[tuple[str, str | None], ...]:
        """Return an object's methods with docstrings, and special ones as a stock proxy needs."""
        self.check_reference(obj)
        attributes = class_attributes(obj)
        found: dict[str, str | None] = {
            name: None for name, value in attributes.items() if falls_back(name, value)
        }
        exposure = self._exposure(obj)
        if exposure is not None:
            declared = exposure.names().items()
            found.update({name: method.doc for name, method in declared if method is not None})
            return tuple(found.items())
        own = own_attributes(obj)
        unsure = answers_for_itself(obj)
        for name, value in attributes.items():
            if not is_method(value):
                continue
            # __array__ is listed, though not reached, where it is not plain: numpy makes an
            # array of proxies of what has none. A proxy asks for a pickle in its place
            # (rpyc 6.0.2 netref), which is refused with a sentence unless both sides allow it
            if name in _ALWAYS_LISTED or (
                name.startswith("__") and name in self._safe and self._plain(obj, name)
            ):
                found[name] = None
            elif (
                not unsure
                and name not in own
                and self._plain(obj, name)
                and not self._means_another(obj, name, attributes, own)
            ):
                found[name] = doc_of(obj, name, value)
        return tuple(found.items())

    def plan(self, obj: object, name: str) -> CallPlan | None:
        """Return how a method of an object takes its arguments; None: by reference, or unknown."""
        if answers_for_itself(obj) or not self._reads_annotations(obj):
            return None
        try:
            found = self.get(obj, name)
        except AttributeError:
            return None
        return found.plan if type(found) is ConvertedMethod else None

    def description(self, obj: object) -> tuple[tuple[str, tuple[object, ...]], ...] | None:
        """
        Return how those of an object's methods are called that declare values, or None.

        Pairs of a name and what `CallPlan.describe` gives, for the object's caller.
        """
        if not self._reads_annotations(obj):
            return None
        kind, declared = type(obj), declared_by(obj)
        descriptions = self._plans.descriptions
        known = descriptions.get(kind)
        if known is not None and known[0] is declared:
            return known[1]
        found = {}
        prefix = self._prefix
        for listed, _doc in self.methods(obj):
            plan = self.plan(obj, listed)
            if plan is not None and plan.has_arguments:
                found[listed] = plan.describe()
                if prefix and listed.startswith(prefix):
                    found.setdefault(listed[len(prefix) :], plan.describe())
        description = tuple(found.items()) or None
        if not is_class(obj):
            make_room(descriptions)
            descriptions[kind] = declared, description
        return description

    def described(self, obj: object) -> tuple[tuple[object, ...], ...]:
        """Return an object's methods as `methods` does, each with its signature and its plan."""
        exposure = self._exposure(obj)
        declared = {} if exposure is None else exposure.names()
        return tuple(
            [
                (name, doc, told_signature(obj, name, declared.get(name)), _described(plan))
                for name, doc in self.methods(obj)
                for plan in (self.plan(obj, name),)
            ]
        )

    def _means_another(
        self, obj: object, name: str, attributes: dict[str, object], own: Container[str]
    ) -> bool:
        """Tell whether ``add`` is something else that the peer may have than ``exposed_add``."""
        prefix = self._prefix
        if not prefix or not name.startswith(prefix):
            return False
        short = name[len(prefix) :]
        other = short in own or (short in attributes and not is_method(attributes[short]))
        return other and self._plain(obj, short)


class DiallingPolicy(AccessPolicy):
    """That of a connecting side: the server may fetch the records that it has been handed."""

    __slots__ = ()

    gives_records: ClassVar[bool] = True
