"""
The gate: what a peer may do with an object of ours.

Every handler that touches an object asks here first, a comparison, a context
exit and a hash included: RPyC's two security advisories were about handlers
that went around its gate. The rules, in the order in which they are asked:

1. Only a *reference* can be worked on. A value that the peer sent along, say a
   str on which it wants ``__mod__``, is no object of ours.
2. A type with ``_rpyc_getattr`` (or ``_rpyc_setattr``, ``_rpyc_delattr``)
   decides for itself, as in RPyC; `restricted` is built on that.
3. The kind of access must be switched on (``allow_getattr``...).
4. An object that provides an interface opened with `expose` has the names of
   that interface, called as it says, and no others.
5. Builtin containers, iterators and generators have a fixed table of names.
6. Otherwise a name is reachable if it is exposed, by the prefix or by
   `exposed`, if it is one of the safe operators, or if a switch opens more.

Whatever is handed out by reference comes by here once more, when it is boxed:
modules, frames and the like never are, and of classes only those that somebody
has declared, since whoever holds a class can make objects of it.

What reads as a leak is closed here too: the default repr and hash of an object
are made of its export number, and no repr carries a memory address.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

from zope.interface import providedBy

from txremote.config import DEFAULT_CONFIG, ConnectionConfig
from txremote.errors import NotSendable
from txremote.gate import costs
from txremote.gate.builtin_types import (
    ADDRESS_HASHES,
    BY_VALUE,
    CLOSED,
    CONTAINERS,
    DENIED,
    FUNCTION_HOLDERS,
    MAYBE_BY_VALUE,
    never_handed_out,
)
from txremote.gate.exposure import (
    LIFECYCLE,
    LONGEST_TOLD,
    Exposure,
    answers_for_itself,
    checked,
    class_attributes,
    declared_by,
    doc_of,
    exposure_of,
    is_class,
    is_declared_class,
    is_exposed,
    is_function,
    is_hook,
    is_method,
    is_service,
    name_of,
    own_attributes,
    shown,
    static,
)
from txremote.gate.fallbacks import FALLBACKS, falls_back
from txremote.gate.machinery import machinery
from txremote.gate.threaded import ThreadedMethod
from txremote.gate.unbound import ClassFunctions
from txremote.wire.brine import dumpable
from txremote.wire.exceptions import without_addresses
from txremote.wire.naming import class_module, class_name, class_qualname

COMPARISONS = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})

_ALWAYS_LISTED = frozenset({"__call__", "__array__"})

# Classes may be made anew for every call, so what is kept about them is bounded.
_MOST_REMEMBERED = 1000


def _check_switch(name: str, allowed: bool, switch: str) -> None:
    if not allowed:
        raise AttributeError(f"cannot access {shown(name)}: allow_{switch} is off")


def _marking(prefix: str) -> str:
    return "@exposed" if prefix == DEFAULT_CONFIG.exposed_prefix else f"@exposed({prefix!r})"


def _refusal(obj: object, name: str, prefix: str) -> AttributeError:
    kind = name_of(obj)
    if name in FALLBACKS:
        return AttributeError(
            f"cannot access {name!r} of {kind}: it is no safe operator here (add it to "
            "safe_attrs, or do it in a method of the owner's)"
        )
    if name.startswith("_") or not prefix or type(obj) in CLOSED or len(name) > LONGEST_TOLD:
        return AttributeError(f"cannot access {shown(name)} of {kind}")
    if static(obj, "expects_login") is True:
        return AttributeError(
            f"cannot access {name!r}: log in first, by root.login(user, password)"
        )
    if any(is_exposed(base.__dict__.get(name), prefix) for base in type(obj).__mro__):
        return AttributeError(
            f"cannot access {name!r}: {kind} overrides an exposed {name} without "
            f"exposing it (mark it with {_marking(prefix)} as well)"
        )
    return AttributeError(
        f"cannot access {name!r}: {kind} exposes no such name "
        f"(mark it with {_marking(prefix)} or call it {prefix}{name})"
    )


# What is known of a name of a class: the name it is reached by, and the function and the
# interfaces it was judged by: it holds for an object of the class as long as both are the
# same. A plain tuple, which is unpacked at each call.
_Verdict = tuple[str, types.FunctionType, object]


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """
    Decides what a peer may reach. One serves all connections of a listener, and
    never changes; only what it has found out about classes is remembered.

    Args:
        config: The switches; ``ConnectionConfig.preset`` has the usual ones.
    """

    config: ConnectionConfig
    _prefix: str = field(init=False, repr=False, compare=False)
    _safe: frozenset[str] = field(init=False, repr=False, compare=False)
    _exposure: Callable[[object], Exposure | None] = field(init=False, repr=False, compare=False)
    _methods: dict[type, dict[str, _Verdict]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
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

    # -- attributes

    def get(self, obj: object, name: object) -> Any:
        """
        Read an attribute for the peer.

        Raises:
            AttributeError: it is not there, or not for the peer.
            TypeError: the name is no str, or the object no reference.
        """
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
        name = self._asked(obj, name)
        override = getattr(kind, "_rpyc_getattr", None)
        if override is not None:
            return override(obj, name)
        declared = declared_by(obj)
        exposure = self._exposure(obj)
        if exposure is not None:
            self._check_no_hook(obj, name)
            _check_switch(name, self.config.allow_getattr, "getattr")
            method = exposure.method(name, self._safe)
            found = self._read(obj, name)
            return found if method is None else checked(method, found)
        reachable = self._reachable(obj, name, self.config.allow_getattr, "getattr")
        self._remember(obj, name, reachable, declared)
        return self._read(obj, reachable)

    def _read(self, obj: Any, name: str) -> object:
        """Read what may be read; from a class no function that takes any object."""
        found = getattr(obj, name)
        if issubclass(type(obj), type) and not self._trusting:
            return self._of_classes.given(obj, name, found)
        return found

    def _remember(self, obj: object, name: str, reachable: str, declared: object) -> None:
        """
        Keep the verdict on a method that a class defines, if it is the same for each
        object of the class, whatever attributes of its own that has. Names that a
        peer makes up are never kept.
        """
        kind = type(obj)
        if issubclass(kind, type):
            return  # what was found may be the class's own, and not the metaclass's
        if reachable != name and (reachable != self._prefix + name or self._plain(obj, name)):
            return  # an object that has the other of the two names is read by that
        for base in kind.__mro__:
            if reachable in base.__dict__:
                function = base.__dict__[reachable]
                if type(function) is types.FunctionType:
                    if len(self._methods) >= _MOST_REMEMBERED:
                        self._methods.clear()
                    self._methods.setdefault(kind, {})[name] = reachable, function, declared
                return

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
        """
        Check that the object is one of ours, not a value that was sent along.

        Raises:
            TypeError: it is a value.
        """
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
        closed = CLOSED.get(kind)
        if closed is not None:
            return name in closed
        table = CONTAINERS.get(kind)
        if table is not None and name in table:
            return True
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
        """
        Check that a name is not what a connection itself calls of its service.

        Raises:
            AttributeError: it is, whether it is marked or not.
        """
        if self._trusting or not is_hook(obj, name.removeprefix(self._prefix)):
            return
        own = static(obj, self._prefix + name.removeprefix(self._prefix)) if self._prefix else None
        if own is None or own is static(obj, name.removeprefix(self._prefix)):
            raise AttributeError(f"cannot access {name!r}: a connection calls it, and no peer")

    def _reachable(self, obj: object, name: str, allowed: bool, switch: str) -> str:
        """
        Return the attribute that a name asked for stands for (rpyc 6.0.2
        ``Connection._check_attr``).
        """
        self._check_no_hook(obj, name)
        _check_switch(name, allowed, switch)
        plain = self._plain(obj, name)
        prefix = self._prefix
        if not prefix:
            if plain:
                return name
            raise _refusal(obj, name, prefix)
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
        raise _refusal(obj, name, prefix)

    def measured(self, obj: object, name: object, method: object) -> object:
        """
        Return a builtin type's method so that one call of a peer costs no more than
        it may (`txremote.gate.costs.measured`).
        """
        if self.config.allow_all_attrs:
            return method
        return costs.measured(obj, name, method)

    # -- what is handed out

    def check_handed_out(self, obj: Any) -> None:
        """
        Check that the peer may have a reference to an object.

        Raises:
            NotSendable: it is a module, a frame, a traceback or a code object, a part of
                a connection or a reactor of which nothing is exposed, or a class that
                nobody has declared; the sentence names what is missing.
        """
        if self.config.allow_all_attrs:
            return
        if is_class(obj):
            if not is_declared_class(obj, self._prefix) and self._exposure(obj) is None:
                mark = _marking(self.config.exposed_prefix)
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

    def _declares(self, obj: object) -> bool:
        """
        Tell whether a class of an object that is a part of a connection was made for
        peers: whether anything of it is exposed.
        """
        if machinery(type(obj)) is None or self._exposure(obj) is not None:
            return True
        prefix = self._prefix
        return is_service(obj) or any(
            prefix and (name.startswith(prefix) or is_exposed(value, prefix))
            for base in type(obj).__mro__
            for name, value in base.__dict__.items()
        )

    # -- everything else

    def callable(self, obj: Any) -> Any:
        """
        Return the object if the peer may call it.

        A function, method or class was handed to the peer to be called. Of any other
        object ``__call__`` is a method as all are, and has to be exposed; what is not
        callable says so itself.

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
                f"{_marking(self.config.exposed_prefix)})"
            ) from None
        return found if type(found) is ThreadedMethod else obj

    def comparison(self, obj: object, operator: object) -> Any:
        """
        Return the comparison function of an object's type.

        Raises:
            AttributeError: it is not one of the six, or operators are off.
            TypeError: the object is no reference.
        """
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
        """
        Return an object's repr, or its str, without a memory address.

        Args:
            obj: The object.
            number: Its export number, shown where its address would be.
            render: `repr` or `str`.
        """
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
        """Return an object's ``format()``, without a memory address. See `repr`."""
        default: Any = object
        if type(obj).__format__ is default.__format__ and spec == "":
            return self.repr(obj, number, str)
        self.check_reference(obj)
        if not self.config.allow_all_attrs:
            costs.check_format(obj, spec)
            costs.check_shown(obj)
        return without_addresses(format(obj, spec))

    def hash(self, obj: Any, number: int) -> int:
        """
        Return an object's hash; for one that is made of its address, one that
        is made of its export number.

        Raises:
            TypeError: it cannot be hashed.
        """
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
        """
        Return the methods of an object with their docstrings.

        Every special method that syntax needs is listed, else a stock proxy
        could not be called or iterated; for a class its metaclass's too. Of those
        that the peer may not call, the ones that Python would do without are.
        """
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

    def _means_another(
        self, obj: object, name: str, attributes: dict[str, object], own: Container[str]
    ) -> bool:
        """
        Tell whether ``add``, where ``exposed_add`` is a method, is something else that
        the peer may have, too.
        """
        prefix = self._prefix
        if not prefix or not name.startswith(prefix):
            return False
        short = name[len(prefix) :]
        other = short in own or (short in attributes and not is_method(attributes[short]))
        return other and self._plain(obj, short)
