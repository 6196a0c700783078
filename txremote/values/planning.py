"""
`call_plan`: from a function to its `CallPlan`, or None where nothing annotated is a value.
`attribute_plan`: from an attribute's annotation, or a property's, to one that has a result only.

A function's annotations are read once, when it is first asked for, and the plan is kept as long as
the function. A decorated function is read as what it wraps (`functools.wraps`).
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
import weakref
from collections import abc
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Any, Final

from txremote.levels import Logger
from txremote.values.annotations import annotations_of, evaluator, resolved, signature_of
from txremote.values.compiling import Compiler
from txremote.values.flows import is_flow
from txremote.values.nodes import ValueType
from txremote.values.plan import CallPlan
from txremote.values.records import RecordType
from txremote.values.registry import when_registered
from txremote.values.texts import text_of

_log = Logger("txremote.values")

_MOST_TEXT: Final = 2_000  # characters of a signature

_CACHED: Final = type(functools.cache(lambda: None))

# Results that come later, by their classes' names: what they give is the last argument.
_LATER: Final = frozenset({"Deferred", "Awaitable", "Coroutine", "Future", "Task"})
_MANY: Final = frozenset(
    {
        *(abc.Iterator, abc.Iterable, abc.Generator),
        *(abc.AsyncIterator, abc.AsyncIterable, abc.AsyncGenerator),
    }
)

# By function: its plan for each class that it was asked for with, and for being bound or not.
_plans: weakref.WeakKeyDictionary[object, dict[object, CallPlan | None]] = (
    weakref.WeakKeyDictionary()
)
# By class and name, of attributes that are annotated in a class.
_attributes: weakref.WeakKeyDictionary[type, dict[str, CallPlan | None]] = (
    weakref.WeakKeyDictionary()
)
when_registered(_plans.clear)
when_registered(_attributes.clear)


def call_plan(function: object, owner: type | None = None) -> CallPlan | None:
    """
    Return the plan of a function, or None where nothing annotated is a value.

    Args:
        function: A function, a bound method, a `staticmethod`, a `functools.partial`, a class
            or any callable.
        owner: The class it was found in. A plain function of a class is a method: its first
            parameter is no argument of the call. Of a bound method it is known.
    """
    bound = False
    if isinstance(function, types.MethodType):
        owner = owner or _class_of(function.__self__)
        function, bound = function.__func__, True
    elif isinstance(function, classmethod):
        function, bound = function.__func__, True
    elif isinstance(function, staticmethod):
        function = function.__func__
    elif owner is not None and isinstance(function, types.FunctionType):
        bound = not isinstance(_found_in(owner, function), staticmethod)
    elif isinstance(function, type):
        return _of_class(function)
    elif not isinstance(function, types.FunctionType) and not _is_opaque(function):
        call = inspect.getattr_static(type(function), "__call__", None)
        return call_plan(call, type(function)) if isinstance(call, types.FunctionType) else None
    if "register" in getattr(function, "__dict__", ()):
        return None  # of functools.singledispatch: another function for each type
    try:
        known = _plans.setdefault(function, {})
    except TypeError:  # no weak reference to it, as of a builtin: it has no annotations either
        return None
    key = (bound, None if owner is None else weakref.ref(owner))
    if key not in known:
        known[key] = _read(function, owner, bound)
    return known[key]


def _class_of(instance: object) -> type:
    return instance if isinstance(instance, type) else type(instance)


def _found_in(owner: type, function: types.FunctionType) -> object:
    return inspect.getattr_static(owner, function.__name__, None)


def _is_opaque(function: object) -> bool:
    return isinstance(function, (types.BuiltinFunctionType, functools.partial, _CACHED))


def _of_class(cls: type) -> CallPlan | None:
    init = cls.__dict__.get("__init__")
    plan = call_plan(init, cls) if isinstance(init, types.FunctionType) else None
    return plan if plan is not None and plan.has_arguments else None


def attribute_plan(owner: type, name: str) -> CallPlan | None:
    """
    Return how what an attribute holds travels, as a plan's result; None: by reference.

    Args:
        owner: The class of the object.
        name: A property with an annotated result, or an attribute that a class annotates.
    """
    for base in owner.__mro__:
        defined = base.__dict__.get(name)
        if isinstance(defined, (property, functools.cached_property)):
            getter = defined.fget if isinstance(defined, property) else defined.func
            plan = None if getter is None else call_plan(getter, owner)
            return plan if plan is not None and (plan.result or plan.item) else None
        if isinstance(defined, (types.FunctionType, classmethod, staticmethod)):
            return None
        annotations = annotations_of(base)
        if name in annotations:
            known = _attributes.setdefault(owner, {})
            if name not in known:
                known[name] = _of_attribute(base, name, annotations, owner)
            return known[name]
    return None


def _of_attribute(
    base: type, name: str, annotations: Mapping[str, object], owner: type
) -> CallPlan | None:
    hint = resolved(base, {name: annotations[name]}, owner).get(name, Any)
    while typing.get_origin(hint) in (typing.ClassVar, Final):
        hint = typing.get_args(hint)[0]
    plan = CallPlan()
    plan.signature_text = text_of(annotations[name])[:_MOST_TEXT]
    _fill_result(plan, hint, Compiler({typing.Self: owner}, evaluator(base, owner)))
    return None if plan.is_empty else plan


def _read(function: Any, owner: type | None, bound: bool) -> CallPlan | None:
    source = inspect.unwrap(function)
    while isinstance(source, functools.partial):
        source = inspect.unwrap(source.func)
    annotations = annotations_of(source)
    if not annotations:
        return None
    try:
        parameters = [*signature_of(function).parameters.values()]
    except (ValueError, TypeError):
        return None
    if bound and parameters and parameters[0].kind is not Parameter.VAR_POSITIONAL:
        del parameters[0]
    hints = resolved(source, annotations, owner)
    plan = CallPlan()
    plan.signature_text = _text(parameters, annotations)
    _fill(plan, parameters, hints, Compiler({typing.Self: owner or Any}, evaluator(source, owner)))
    return None if plan.is_empty else plan


def _fill(
    plan: CallPlan,
    parameters: Sequence[Parameter],
    hints: Mapping[str, object],
    compiler: Compiler,
) -> None:
    names = {Parameter.VAR_POSITIONAL: "args", Parameter.VAR_KEYWORD: "kwargs"}
    positional = []
    for parameter in parameters:
        name = parameter.name
        hint = hints.get(name, Any)
        value_type = _compiled(compiler, hint, name)
        if parameter.kind is Parameter.VAR_POSITIONAL:
            plan.var_positional = value_type
            names[parameter.kind] = name
        elif parameter.kind is Parameter.VAR_KEYWORD:
            plan.var_keyword = value_type
            names[parameter.kind] = name
            if typing.get_origin(hint) is typing.Unpack:
                keys = compiler.compile(typing.get_args(hint)[0])
                if isinstance(keys, RecordType):
                    plan.types.update((k, each) for k, each in keys.types.items() if each)
        else:
            if parameter.kind is not Parameter.KEYWORD_ONLY:
                positional.append(name)
            if value_type is not None:
                plan.types[name] = value_type
            else:
                callback = callback_plan(hint)
                if callback is not None:
                    plan.callbacks[name] = callback
    plan.positional = tuple(positional)
    plan.names = (names[Parameter.VAR_POSITIONAL], names[Parameter.VAR_KEYWORD])
    _fill_result(plan, hints.get("return", Any), compiler)


def _compiled(compiler: Compiler, hint: object, name: str) -> ValueType | None:
    try:
        return compiler.compile(hint)
    except Exception as problem:  # an alias without an end, a constraint that is none
        _log.warn(
            "{name} goes by reference: {hint} cannot be read: {problem}",
            name=name,
            hint=text_of(hint),
            problem=problem,
        )
        return None


def _fill_result(plan: CallPlan, hint: object, compiler: Compiler) -> None:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    while arguments and getattr(origin, "__name__", "") in _LATER:
        hint = arguments[-1]
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is None or hint is type(None):
        return
    plan.streams = is_flow(hint)
    if origin in _MANY and arguments:
        plan.item = _compiled(compiler, arguments[0], "the items")
        return
    plan.result = _compiled(compiler, hint, "the result")


def callback_plan(hint: object) -> CallPlan | None:
    """Return how a ``Callable[[A, B], R]`` is to be called, or None where it has no values."""
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        plans = [plan for each in arguments if (plan := callback_plan(each)) is not None]
        return plans[0] if len(plans) == 1 else None
    if origin is typing.Annotated:
        return callback_plan(arguments[0])
    if getattr(hint, "_is_protocol", False) and isinstance(hint, type):
        call = hint.__dict__.get("__call__")
        return call_plan(call, hint) if isinstance(call, types.FunctionType) else None
    if origin is not abc.Callable or not isinstance(arguments[0], list):
        return None
    plan = CallPlan()
    plan.positional = tuple(f"argument {place + 1}" for place in range(len(arguments[0])))
    for name, each in zip(plan.positional, arguments[0], strict=True):
        value_type = Compiler({}).compile(each)
        if value_type is not None:
            plan.types[name] = value_type
    _fill_result(plan, arguments[1], Compiler({}))
    shown = ", ".join(map(text_of, arguments[0]))
    plan.signature_text = f"({shown}) -> {text_of(arguments[1])}"
    return None if plan.is_empty else plan


def signature_text(function: Callable[..., object], bound: bool = False) -> str | None:
    """
    Return a function's signature as a peer may read it, or None where it has none.

    Args:
        function: The object that has it.
        bound: That the first parameter is no argument of the call.
    """
    try:
        parameters = [*signature_of(function).parameters.values()]
    except (ValueError, TypeError):
        return None
    return _text(parameters[bound:], annotations_of(inspect.unwrap(function)))


def _text(parameters: Sequence[Parameter], annotations: Mapping[str, object]) -> str:
    shown: list[str] = []
    stars: dict[object, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
    kinds = [parameter.kind for parameter in parameters]
    for place, parameter in enumerate(parameters):
        text = stars.get(parameter.kind, "") + parameter.name
        is_default = parameter.default is not Parameter.empty
        if parameter.name in annotations:
            text += f": {text_of(annotations[parameter.name])}{' = ...' if is_default else ''}"
        elif is_default:
            text += "=..."
        if parameter.kind is Parameter.KEYWORD_ONLY and not {
            Parameter.KEYWORD_ONLY,
            Parameter.VAR_POSITIONAL,
        } & {*kinds[:place]}:
            shown.append("*")
        shown.append(text)
        if parameter.kind is Parameter.POSITIONAL_ONLY and (
            kinds[place + 1 : place + 2] != [Parameter.POSITIONAL_ONLY]
        ):
            shown.append("/")
    result = f" -> {text_of(annotations['return'])}" if "return" in annotations else ""
    return f"({', '.join(shown)}){result}"[:_MOST_TEXT]
