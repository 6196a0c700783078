"""
`Declaration`: a class's names as a view uses them, with the value types of what they take and give.

Annotations are read once, by `txremote.values`. A method's call is checked against its signature
and its value types before anything is sent. The `Result` of a call tells what it gives: a value
is converted, an iterator's items are, and the object of a class that exposes names has a view.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Mapping
from functools import lru_cache
from inspect import Signature
from typing import Self

from zope.interface.interface import InterfaceClass

from txremote.errors import WrongValue
from txremote.refs.remote_signatures import Written
from txremote.refs.value_calls import as_sent, unmarked
from txremote.values.compiling import value_type
from txremote.values.nodes import ValueType
from txremote.values.plan import CallPlan
from txremote.values.planning import call_plan
from txremote.views.members import (
    ITERABLES,
    UNKNOWN,
    Member,
    behind,
    exposes_names,
    members_of,
)
from txremote.wire.exceptions import without_addresses

_LONGEST_PROBLEM = 200  # characters, for the name of an argument is the caller's

Args = tuple[object, ...]
Kwargs = dict[str, object]


class Result:
    """
    The declared result of a call, or type of an attribute.

    Attributes:
        value: Its value type, or None.
        view: The class whose view its object has, or None.
        items: The type of an iterator's or iterable's items; None if it is none.
    """

    __slots__ = ("items", "value", "view")

    def __init__(self, annotation: object) -> None:
        annotation = behind(annotation)
        origin = typing.get_origin(annotation) or annotation
        self.items: Result | None = None
        self.value: ValueType | None = None
        self.view: object = None
        if origin in ITERABLES:
            args = typing.get_args(annotation)
            self.items = Result(args[0] if args else UNKNOWN)
        elif annotation not in (UNKNOWN, None, type(None)):  # nobody reads a None
            self.value = value_type(annotation)
            self.view = None if self.value is not None else _view_in(annotation)

    @property
    def is_known(self) -> bool:
        """Whether anything is declared."""
        return self.value is not None or self.view is not None or self.items is not None

    def plan(self, name: str) -> CallPlan | None:
        """Return how a value comes, as if it were a call's one argument; None if it is none."""
        if self.value is None:
            return None
        plan = CallPlan()
        plan.positional = (name,)
        plan.types = {name: self.value}
        return plan


def _view_in(annotation: object) -> object:
    """Return the class whose view an annotation means, also in an Optional one; or None."""
    if isinstance(annotation, InterfaceClass):
        return annotation
    if isinstance(annotation, type):
        return annotation if exposes_names(annotation) else None
    members = [each for each in typing.get_args(annotation) if each is not type(None)]
    if typing.get_origin(annotation) in _UNIONS and len(members) == 1:
        return _view_in(members[0])
    return None


_UNIONS = (typing.Union, type(int | str))


class Call:
    """One way to call a method: its signature, and how its arguments travel."""

    __slots__ = ("_shown", "plan", "result", "signature")

    def __init__(self, member: Member, shown: str) -> None:
        owner = None if isinstance(member.owner, InterfaceClass) else member.owner
        self.plan: CallPlan | None = call_plan(member.value, owner)
        self.result = Result(_annotation(member))
        self.signature: Signature | None = None
        if member.parameters is not None:
            returns = Signature.empty if member.kind == "class" else member.returns
            parameters = [
                each.replace(annotation=_shown(each.annotation)) for each in member.parameters
            ]
            self.signature = Signature(parameters, return_annotation=_shown(returns))
        without = inspect.Signature(
            [each.replace(annotation=UNKNOWN) for each in member.parameters or ()]
        )
        self._shown = f"{shown}{without_addresses(str(without))}"  # a default may be any object

    def check(self, args: Args, kwargs: Kwargs) -> None:
        """Raise TypeError, with the signature, where a call does not fit."""
        if self.signature is not None:
            try:
                self.signature.bind(*args, **kwargs)
            except TypeError as problem:
                why = str(problem)[:_LONGEST_PROBLEM]
                raise TypeError(f"{self._shown}: {why}") from None
        if self.plan is not None:
            bare = {name: unmarked(arg) for name, arg in kwargs.items()}
            self.plan.check([unmarked(arg) for arg in args], bare)


def _shown(annotation: object) -> object:
    """Return an annotation as a signature shows it: a text without quotes."""
    return Written(annotation) if type(annotation) is str else annotation


def marked(plan: CallPlan, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """Return arguments with those marked as values that are declared so."""
    places = [as_sent(arg) if plan.is_value(place) else arg for place, arg in enumerate(args)]
    names = {name: as_sent(arg) if plan.is_value(name) else arg for name, arg in kwargs.items()}
    return tuple(places), names


def _annotation(member: Member) -> object:
    if member.returns is UNKNOWN:
        return UNKNOWN
    try:
        found = member.resolve(member.returns)
        return member.owner if found is Self else found
    except Exception:  # annotations are code; what means nothing is a reference
        return UNKNOWN


class Declared:
    """One name of a class."""

    __slots__ = ("calls", "doc", "name", "result")

    def __init__(self, member: Member, owner: str) -> None:
        self.name = member.name
        self.doc = member.doc
        self.calls: tuple[Call, ...] = ()
        self.result = Result(_annotation(member)) if member.kind == "attribute" else None
        if member.kind != "attribute":
            shown = f"{owner}.{member.name}"
            self.calls = tuple(Call(each, shown) for each in member.overloads or (member,))

    def call_for(self, args: Args, kwargs: Kwargs) -> Call:
        """
        Return how a call is made: of overloads the first that fits.

        Raises:
            TypeError: none fits.
            WrongValue: an argument is not of its declared type.
        """
        *others, last = self.calls
        for call in others:
            try:
                call.check(args, kwargs)
            except (TypeError, WrongValue):
                continue
            return call
        last.check(args, kwargs)
        return last

    def describe(self, function: object) -> object:
        """Give a function the method's name, docstring and signature, and return it."""
        made: typing.Any = function
        made.__name__ = made.__qualname__ = self.name
        made.__doc__ = self.doc
        if len(self.calls) == 1 and self.calls[0].signature is not None:
            made.__signature__ = self.calls[0].signature
        return made


class Declaration:
    """The names that a class declares, with how each is used."""

    __slots__ = ("declared", "interface", "name")

    def __init__(self, declaration: object) -> None:
        is_interface = isinstance(declaration, InterfaceClass)
        members: Mapping[str, Member] = members_of(declaration)
        self.interface = declaration if is_interface else None
        self.name: str = getattr(declaration, "__name__", "")
        self.declared = {name: Declared(member, self.name) for name, member in members.items()}

    def names(self) -> Iterable[str]:
        """Return all names."""
        return self.declared

    def find(self, name: str) -> Declared:
        """Return a name. AttributeError: it is not declared."""
        found = self.declared.get(name)
        if found is None:
            raise AttributeError(f"{self.name} declares no {name!r}", name=name)
        return found


class View:
    """How a view reads the names of a declaration: what both facets have in common."""

    __slots__ = ("_declaration",)

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration

    @property
    def name(self) -> str:
        """The class's name."""
        return self._declaration.name

    def names(self) -> Iterable[str]:
        """Return all names."""
        return self._declaration.names()


@lru_cache(maxsize=256)
def declaration_of(declaration: object) -> Declaration:
    """Return what a class declares, read once. TypeError: it declares nothing."""
    return Declaration(declaration)
