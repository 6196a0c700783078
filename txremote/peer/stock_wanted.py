"""
The copies that an annotation wants of a stock peer's objects (`txremote.refs.wanted`).

A stock peer sends the name of an object's class and nothing else of it. So an object is copied as
what the annotation says at its place: a list's items, a mapping's values, a dataclass's fields
from an object of any class, a member of an enum by its name. Of the
rest, a container or another value of Python's own is copied, and all else stays a reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from txremote.refs.copy_nodes import ANYTHING, ITERATED, MAPPINGS
from txremote.refs.reprs import TOLD
from txremote.refs.wanted import Parts, Wanted
from txremote.values.compiling import AliasType
from txremote.values.containers import DictType, SequenceType, TupleType
from txremote.values.leaves import Constrained, InstanceType, Leaf
from txremote.values.nodes import ValueType
from txremote.values.records import RecordType
from txremote.values.unions import EnumType, UnionType
from txremote.wire.naming import full_name, with_article
from txremote.wire.record import KIND_ENUM, make_record

_CONTAINERS = frozenset(ITERATED) | frozenset(MAPPINGS)
_ROWS = _CONTAINERS - frozenset(MAPPINGS) - {"builtins.bytearray"}


def wanted_by(value_type: ValueType | None) -> Wanted:
    """
    Return what a value type wants, for one copy: it remembers the classes that come.

    `Wanted.parts` raises TypeError for an object that cannot be what is declared.
    """
    return _Wants({}).of(value_type)


class _Wants:
    """The wants of one annotation's value types, each for as long as a copy takes."""

    def __init__(self, made: dict[int, WantedBy]) -> None:
        self._made = made

    def of(self, value_type: ValueType | None) -> Wanted:
        if value_type is None:
            return ANYTHING
        found = self._made.get(id(value_type))
        if found is None:
            found = self._made[id(value_type)] = WantedBy(value_type, self)
        return found


class WantedBy:
    """The wants of one value type."""

    def __init__(self, value_type: ValueType, wants: _Wants) -> None:
        self._value_type = value_type
        self._wants = wants
        self._known: dict[str, Parts | None] = {}

    def parts(self, class_name: str) -> Parts | None:
        """Return what is copied of an object of a class; None: it stays a reference."""
        if class_name not in self._known:
            self._known[class_name] = self._parts(class_name)
        return self._known[class_name]

    def _parts(self, class_name: str) -> Parts | None:
        members = [each for each in _members(self._value_type) if _suits(each, class_name)]
        named = [each for each in members if _is_named(each, class_name)]
        members = named or members
        if len(members) == 1:
            return self._parts_of(members[0], class_name)
        if members and ANYTHING.parts(class_name) is not None:
            return ANYTHING.parts(class_name)  # which of them it is, its items show
        if _passes(self._value_type):
            return None
        raise TypeError(
            f"expected {self._value_type.text}, got {with_article(class_name)} by reference"
            + self._way(class_name)
        )

    def _way(self, class_name: str) -> str:
        """Return what to do about an object that is none of what is declared, for an error."""
        if any(isinstance(each, InstanceType) for each in _members(self._value_type)):
            return (
                ", and only a txremote client sends arrays and tables as values: let it have "
                "txremote, or let the method take what RPyC can pass, such as a list or bytes"
            )
        return ", which an RPyC client passes as x.tolist()" if "numpy." in class_name else ""

    def _parts_of(self, member: ValueType, class_name: str) -> Parts | None:
        of = self._wants.of
        if isinstance(member, TupleType):
            return Parts(items=tuple(map(of, member.items)))
        if isinstance(member, SequenceType):
            return Parts(of(member.item))
        if isinstance(member, DictType):
            return Parts(of(member.value), of(member.key))
        if isinstance(member, EnumType):
            make = partial(make_record, KIND_ENUM, class_name.rpartition(".")[2])
            return Parts(fields={"name": ANYTHING}, make=make, is_member=True)
        if isinstance(member, RecordType):
            types = {name: of(each) for name, each in member.types.items()}
            if member.kind == "namedtuple":
                return Parts(items=tuple(types.values()), fields=types, is_row=True)
            make = partial(make_record, member.record_kind, member.name)
            return Parts(fields=types, make=make)
        return ANYTHING.parts(class_name)


def _members(value_type: ValueType) -> Iterator[ValueType]:
    """Give the types that a value may have, without constraints and aliases."""
    if isinstance(value_type, Constrained):
        yield from _members(value_type.inner)
    elif isinstance(value_type, AliasType):
        if value_type.target is not None:
            yield from _members(value_type.target)
    elif isinstance(value_type, UnionType):
        for each in value_type.members:
            yield from _members(each)
    else:
        yield value_type


def _passes(value_type: ValueType) -> bool:
    """Tell whether a reference may stay, as in a union with members that are no values."""
    while isinstance(value_type, Constrained):
        value_type = value_type.inner
    return isinstance(value_type, UnionType) and value_type.passes


def _suits(member: ValueType, class_name: str) -> bool:
    """Tell whether an object of a class may be what a type declares."""
    if isinstance(member, (SequenceType, TupleType)):
        return class_name in _ROWS
    if isinstance(member, DictType):
        return class_name in MAPPINGS
    if isinstance(member, EnumType):
        return _is_named(member, class_name)
    if isinstance(member, RecordType):
        if member.kind == "typeddict":
            return class_name in MAPPINGS
        if member.kind == "namedtuple":
            return _is_named(member, class_name) or class_name in MAPPINGS
        return class_name in MAPPINGS or (class_name not in _CONTAINERS and class_name not in TOLD)
    if isinstance(member, Leaf):
        names = {full_name(each).replace("._local.", ".") for each in member.exact | member.widened}
        return class_name.replace("._local.", ".") in names
    return False


def _is_named(member: ValueType, class_name: str) -> bool:
    """Tell whether a type is of a class with a name of its own, which is this."""
    if not isinstance(member, (EnumType, RecordType)):
        return False
    return member.cls.__name__ == class_name.rpartition(".")[2]
