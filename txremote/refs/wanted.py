"""
The parts of a copy of a stock peer's objects that do not depend on their kind.

`Wanted` and `Parts` say what is copied at which place: an annotation's, or anything's. `Place` is
where a value stands, `Request` is what is asked for, and `Work` is the copy as a whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from txremote.errors import WrongValue


class Wanted(Protocol):
    """The copy that one place wants, such as an annotation's; it lives as long as that place."""

    def parts(self, class_name: str) -> Parts | None:
        """
        Return what is copied of an object of a class; None: it stays a reference. Raises TypeError
        where such an object may not be there.
        """


@dataclass(frozen=True, slots=True)
class Parts:
    """
    The parts of one object that are copied; None for a part that stays as it comes.

    Attributes:
        item: Of each item, or of each value of a mapping.
        key: Of each key of a mapping.
        items: Of the items of a tuple, each for itself, where they differ.
        fields: Of a mapping's values by their keys; of an object that is no container, of its
            attributes.
        make: Makes the copy of such an object, of those fields that it has.
        is_row: Whether an object of another class than those is read by its iterator, as a
            named tuple is.
        is_member: Whether it is a member of an enum, whose one field is its ``name``.
    """

    item: Wanted | None = None
    key: Wanted | None = None
    items: tuple[Wanted | None, ...] | None = None
    fields: Mapping[str, Wanted | None] | None = None
    make: Callable[[dict[str, object]], object] = dict
    is_row: bool = False
    is_member: bool = False

    def of_item(self, index: int) -> Wanted | None:
        """Return what is wanted of an item."""
        if self.items is not None:
            return self.items[index] if index < len(self.items) else None
        return self.item

    def of_value(self, key: object) -> Wanted | None:
        """Return what is wanted of a mapping's value."""
        if self.fields is None or type(key) is not str:
            return self.item
        return self.fields.get(key, self.item)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, for errors and the depth."""

    label: str
    within: Place | None = None
    depth: int = 0

    def at(self, label: str) -> Place:
        """Return a place within this."""
        return Place(label, self, self.depth + 1)

    def __str__(self) -> str:
        before = str(self.within) if self.within is not None else ""
        return before + self.label


@dataclass(slots=True, eq=False)
class Request:
    """A request, and the functions that take its answer or its error; else the copy fails."""

    handler: int
    args: tuple[object, ...]
    taken: Callable[[object], None]
    refused: Callable[[Exception], None] | None = None


class Work(Protocol):
    """The copy as a whole, as its nodes use it."""

    requests: deque[Request]
    direct: bool

    def count(self, items: int) -> None:
        """Charge some values. Raises where there are too many."""

    def placed(self, value: object, wanted: Wanted | None, place: Place) -> object:
        """Return what stands for a value: itself, or the node of its copy."""


def wrong(place: Place, what: str) -> WrongValue:
    """Return the error of a value that cannot be copied."""
    return WrongValue(f"{place}: {what}")
