"""Value types that are one of several: ``A | B``, ``T | None``, and members of an `enum.Enum`."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Final

from txremote.values.nodes import SLOW, Mismatch, Part, ValueType, Work, in_slices
from txremote.wire.plain import ATOMS
from txremote.wire.record import KIND_ENUM, Record, record_fields, record_kind, record_name
from txremote.wire.slices import Steps

_MOST_FLAGS: Final = 1_000


class UnionType(ValueType):
    """
    One of several types, found by the type of what came, and by trying where that leaves two.

    Attributes:
        members: The types, in the order of the annotation.
        passes: Whether the union has members that are no values: what fits no member goes
            through as it is.
        others: The classes of those, where each is one: a str or a number that is of none of
            them is refused then. None for members that may be anything.
    """

    __slots__ = ("members", "others", "passes")

    kind = "union"

    def __init__(
        self,
        text: str,
        members: Sequence[ValueType],
        passes: bool,
        others: tuple[type, ...] | None = None,
    ) -> None:
        super().__init__(text)
        self.others = others
        self.members = tuple(members)
        self.passes = passes

    def quick(self, raw: object, checking: bool) -> object:
        """Leave it to the member, if one alone can be meant."""
        members = self._meant(raw, checking)
        return members[0].quick(raw, checking) if len(members) == 1 else SLOW

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert each member's values as a column."""
        chosen: dict[type, Sequence[ValueType]] = {}
        groups: dict[ValueType, list[int]] = {}
        made = [*column]
        for place, part in enumerate(column):
            kind = type(part)
            members = chosen.get(kind)
            if members is None:
                members = self._meant(part, work.checking)
                if kind is not Record and kind is not dict:  # which is told by more than its type
                    chosen[kind] = members
            if len(members) == 1:
                groups.setdefault(members[0], []).append(place)
            elif members:
                made[place] = yield from self._by_trying(members, part, work)
            elif not self._lets_pass(part):
                raise Mismatch
        for member, places in groups.items():
            found = yield from in_slices(member, [column[place] for place in places], work)
            for place, value in zip(places, found, strict=True):
                made[place] = value
        return made

    def _lets_pass(self, part: object) -> bool:
        if not self.passes or self.others is None or type(part) not in ATOMS:
            return self.passes
        return issubclass(type(part), self.others)

    def _meant(self, part: object, checking: bool) -> Sequence[ValueType]:
        for exactly in (True, False):
            found = [each for each in self.members if each.accepts(part, exactly, checking)]
            if found:
                return found
        return ()

    def _by_trying(self, members: Sequence[ValueType], part: object, work: Work) -> Steps[object]:
        # what was found out is kept: unions in unions would be tried over and over
        known = work.known.setdefault(self, {})
        key = id(part)
        if key not in known:
            work.kept.append(part)
            known[key] = _NONE
            for member in members:
                quick = member.quick(part, work.checking)
                if quick is not SLOW:
                    known[key] = quick
                    break
                try:
                    known[key] = (yield from member.many((part,), work))[0]
                    break
                except Mismatch:
                    continue
        if known[key] is _NONE:
            raise Mismatch
        return known[key]

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Go by the members."""
        return any(each.accepts(raw, exactly, checking) for each in self.members)

    def parts(self, raw: object, checking: bool) -> Iterable[Part]:
        """Return the value itself where one member alone can be meant."""
        members = self._meant(raw, checking)
        if len(members) == 1:
            yield Part(members[0], (raw,), lambda _: "")


_NONE: Final = object()


class EnumType(ValueType):
    """An `enum.Enum`: its members arrive as records with the member's name."""

    __slots__ = ("cls",)

    kind = "enum"

    def __init__(self, text: str, cls: type[enum.Enum]) -> None:
        super().__init__(text)
        self.cls = cls

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Look each member up."""
        cls = self.cls
        made: list[object] = []
        for part in column:
            if type(part) is cls:
                made.append(part)
            elif work.checking or not self.accepts(part, True, False):
                raise Mismatch
            else:
                assert isinstance(part, Record)
                made.append(self._member(record_fields(part).get("name")))
        return made
        yield

    def _member(self, name: object) -> object:
        cls = self.cls
        if isinstance(name, str):
            if name in cls.__members__:
                return cls.__members__[name]
            names = [each for each in name.split("|", _MOST_FLAGS) if each]
            if issubclass(cls, enum.Flag) and all(each in cls.__members__ for each in names):
                return reduce(or_, (cls.__members__[each] for each in names), cls(0))
        raise Mismatch(f"{self.text} has no member of this name")

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Go by the class, or the name of a record."""
        if type(raw) is self.cls:
            return True
        if checking or type(raw) is not Record:
            return False
        assert isinstance(raw, Record)
        return record_kind(raw) == KIND_ENUM and record_name(raw) == self.cls.__name__
