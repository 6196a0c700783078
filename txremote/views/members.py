"""
`members_of`: the names that a class declares for its clients, with how each is called.

Three kinds of classes declare names. A class of the server's, such as a `Service`, declares what
it exposes, by `txremote.exposed`, by the prefix, or by an interface that `txremote.expose` has
opened. A ``typing.Protocol`` and a zope interface declare all that they name. Of classes, names
that start with ``_`` are left out, for they never travel, and so is what `Service` itself exposes.

No annotation is evaluated here: `Member.resolve` does that for one annotation at a time.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import sys
import typing
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FunctionType, MappingProxyType, SimpleNamespace
from typing import Annotated, Any, Literal

from zope.interface.interface import InterfaceClass

from txremote.gate.exposure import is_exposed, is_method, opened_by
from txremote.gate.threaded import ThreadedMethod
from txremote.refs.contract import Contract, MethodContract, contract_of
from txremote.refs.signatures import signature_of
from txremote.service import PREFIX, Service
from txremote.values.annotations import annotations_of

Kind = Literal["method", "attribute", "class"]

_TYPING = ("typing", "typing_extensions", "collections.abc")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

#: What a call gives item by item.
ITERATORS = (
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncGenerator,
)
ITERABLES = (*ITERATORS, collections.abc.Iterable, collections.abc.AsyncIterable)

#: Nothing is known of a type.
UNKNOWN = inspect.Parameter.empty


_NO_NAMES: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Member:
    """
    One name that a class declares.

    Attributes:
        name: As a client says it.
        kind: Whether it is called, read, or makes an object of a nested class.
        value: The function, None if it is not known; the nested class; an attribute's annotation.
        owner: The class that defines it.
        parameters: Of a method or a nested class, without ``self``; None if they are not known.
        returns: The annotation of the result, `UNKNOWN` if there is none.
        doc: Its docstring.
        overloads: The functions that ``typing.overload`` has marked, if any.
    """

    name: str
    kind: Kind
    value: object
    owner: type
    parameters: tuple[inspect.Parameter, ...] | None = None
    returns: object = UNKNOWN
    doc: str | None = None
    overloads: tuple[Member, ...] = ()

    def resolve(self, annotation: object, names: Mapping[str, object] = _NO_NAMES) -> object:
        """Return what an annotation means. NameError, TypeError or the like: nothing."""
        return resolve(annotation, self.value, self.owner, names)


def is_protocol(kind: type) -> bool:
    """Tell whether a class is a ``typing.Protocol`` itself, and no implementation of one."""
    return bool(kind.__dict__.get("_is_protocol", False))


def members_of(declaration: object) -> dict[str, Member]:
    """
    Return what a class declares, by name.

    Args:
        declaration: A class that exposes names, a ``Protocol``, or a zope interface.

    Raises:
        TypeError: it is none of them, or a class that declares nothing.
    """
    if isinstance(declaration, InterfaceClass):
        return dict(_of_interface(contract_of(declaration)))
    if not isinstance(declaration, type):
        raise TypeError(
            f"{declaration!r} is no class: give a Service, a typing.Protocol or a zope interface"
        )
    if is_protocol(declaration):
        found = dict(_of_protocol(declaration))
    else:
        found = dict(_of_class(declaration))
    if not found:
        raise TypeError(
            f"{declaration.__name__} declares no names: mark them with @exposed, or give a "
            "typing.Protocol or a zope interface"
        )
    return found


def exposes_names(kind: type) -> bool:
    """Tell whether a class exposes names, so that its objects have a view of their own."""
    if is_protocol(kind):
        return kind.__module__ not in _TYPING
    return next(_of_class(kind), None) is not None


def _of_class(kind: type) -> Iterator[tuple[str, Member]]:
    contracts = opened_by(kind)
    if contracts:
        for contract in contracts:
            for name, member in _of_interface(contract):
                own = inspect.getattr_static(kind, name, None)
                known = member.kind == "method" and is_method(own)
                yield name, _member(name, own, kind) if known else member
        return
    found: dict[str, Member] = {}
    for base in reversed(kind.__mro__):
        if base in (Service, object) or base.__module__.startswith("rpyc."):
            continue
        annotations = annotations_of(base)
        for name, annotation in annotations.items():
            if name.startswith(PREFIX):
                public = name.removeprefix(PREFIX)
                found[public] = _attribute(public, base, annotation)
        for name, value in base.__dict__.items():
            public = name.removeprefix(PREFIX)
            is_open = name.startswith(PREFIX) or is_exposed(value, PREFIX)
            if is_open and public[:1] != "_" and name not in annotations:
                found[public] = _member(public, value, base)
    yield from found.items()


def _of_protocol(kind: type) -> Iterator[tuple[str, Member]]:
    found: dict[str, Member] = {}
    for base in reversed(kind.__mro__):
        if base is object or base.__module__ in _TYPING:
            continue
        annotations = annotations_of(base)
        for name, annotation in annotations.items():
            if name[:1] != "_":
                found[name] = _attribute(name, base, annotation)
        for name, value in base.__dict__.items():
            if name[:1] != "_" and name not in annotations:
                found[name] = _member(name, value, base)
    yield from found.items()


def _of_interface(contract: Contract) -> Iterator[tuple[str, Member]]:
    for name, method in contract.names.items():
        owner = typing.cast("type", contract.interface)
        if method is None:
            doc = contract.interface[name].getDoc()
            yield name, Member(name, "attribute", UNKNOWN, owner, doc=doc)
        elif (function := method.function()) is not None:
            yield name, _with_defaults(_method(name, function, owner, bound=False), method)
        else:
            parameters = tuple(method.signature.parameters.values())
            yield name, Member(name, "method", None, owner, parameters, doc=method.doc)


def _with_defaults(member: Member, method: MethodContract) -> Member:
    """Return a method with the defaults that zope.interface keeps: the source's are not read."""
    known = method.signature.parameters
    parameters = [
        each.replace(default=known[each.name].default) if each.name in known else each
        for each in member.parameters or ()
    ]
    return replace(member, parameters=tuple(parameters))


def _member(name: str, value: object, owner: type) -> Member:
    """Return what is known of something that a class's ``__dict__`` has."""
    if isinstance(value, property):
        return _property(name, value.fget, value.__doc__, owner)
    if isinstance(value, functools.cached_property):
        return _property(name, value.func, value.__doc__, owner)
    if isinstance(value, type):
        parameters = _parameters(value, bound=False)
        return Member(name, "class", value, owner, parameters, value, inspect.getdoc(value))
    if not is_method(value):
        return _attribute(name, owner, UNKNOWN if value is None else type(value))
    bound = not isinstance(value, staticmethod) and hasattr(type(value), "__get__")
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, ThreadedMethod):
        value = value.function
    return _method(name, value, owner, bound=bound)


def _attribute(name: str, owner: type, annotation: object) -> Member:
    return Member(name, "attribute", None, owner, returns=annotation)


def _property(name: str, getter: object, doc: str | None, owner: type) -> Member:
    returns = annotations_of(getter).get("return", UNKNOWN) if callable(getter) else UNKNOWN
    text = inspect.cleandoc(doc) if doc else None
    return Member(name, "attribute", getter, owner, returns=returns, doc=text)


def _method(name: str, function: object, owner: type, *, bound: bool) -> Member:
    written: object = inspect.unwrap(function) if callable(function) else function
    overloads: tuple[Member, ...] = ()
    if isinstance(written, FunctionType):
        overloads = tuple(
            _plain_method(name, each, owner, bound=bound) for each in typing.get_overloads(written)
        )
    return replace(_plain_method(name, written, owner, bound=bound), overloads=overloads)


def _plain_method(name: str, function: object, owner: type, *, bound: bool) -> Member:
    returns: object = UNKNOWN
    with suppress(TypeError, ValueError):  # of builtins
        returns = signature_of(function).return_annotation  # type: ignore[arg-type]
    doc = inspect.getdoc(function)
    return Member(name, "method", function, owner, _parameters(function, bound), returns, doc)


def _parameters(function: object, bound: bool) -> tuple[inspect.Parameter, ...] | None:
    """Return the parameters of a call, without ``self``; None where they cannot be known."""
    if not callable(function):
        return None
    try:
        found = tuple(signature_of(function).parameters.values())
    except (TypeError, ValueError):  # a builtin, a partialmethod
        return None
    takes_self = bound and found and found[0].kind in _POSITIONAL
    return found[1:] if takes_self else found


def resolve(
    annotation: object, function: object, owner: type, names: Mapping[str, object]
) -> object:
    """
    Return what an annotation means, where a function or a class's attribute has it.

    Args:
        annotation: As it stands there.
        function: The function, if it is one's.
        owner: The class, whose names are seen.
        names: Names that are seen too.

    Raises:
        Exception: it cannot be evaluated, as the code in it does.
    """
    written: object = inspect.unwrap(function) if callable(function) else None
    globals_ = getattr(written, "__globals__", None)
    if globals_ is None:
        module = sys.modules.get(owner.__module__)
        globals_ = vars(module) if module is not None else {}
    inner = {**names, **_closure(written), **(vars(owner) if isinstance(owner, type) else {})}
    holder = SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(holder, globals_, inner, include_extras=True)["it"]


def _closure(function: object) -> dict[str, object]:
    """Return the names that a function takes from the functions around it."""
    if not isinstance(function, FunctionType):
        return {}
    found: dict[str, object] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        with suppress(ValueError):  # it has none yet
            found[name] = cell.cell_contents
    return found


def behind(annotation: object) -> object:
    """Return the result that a Deferred, an Awaitable or a coroutine brings; else the same."""
    origin = typing.get_origin(annotation)
    args = typing.get_args(annotation)
    if origin is Annotated:
        return behind(args[0])
    if args and origin is not None:
        if origin is collections.abc.Awaitable or _is_deferred(origin):
            return args[0]
        if origin is collections.abc.Coroutine:
            return args[-1]
    return UNKNOWN if _is_deferred(annotation) else annotation


def _is_deferred(kind: Any) -> bool:
    where = getattr(kind, "__module__", None), getattr(kind, "__qualname__", None)
    return where == ("twisted.internet.defer", "Deferred")
