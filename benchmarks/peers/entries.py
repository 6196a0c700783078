"""
The records of the row "records", and what each contestant does with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache


@dataclass
class Entry:
    """Five fields, of the types that most records have."""

    number: int
    name: str
    price: float
    sold: bool
    shelf: str


@cache
def entries(count: int) -> list[Entry]:
    """Return so many of them, the same each time."""
    return [
        Entry(number, f"entry {number}", number / 8, number % 2 == 0, f"shelf {number % 20}")
        for number in range(count)
    ]


def worth(found: Iterable[Entry]) -> float:
    """Return a sum that is right only if all entries have arrived: the work of the method."""
    return sum([entry.number + entry.price for entry in found])


#: The argument of the row "dict argument", and the tuple with the same strings and numbers.
PLAYER = {"x": 17, "y": 4, "level": 12, "health": 80}
PLAYER_TUPLE = ("x", 17, "y", 4, "level", 12, "health", 80)


def health_of_tuple(player: tuple[object, ...]) -> object:
    """Return what the method reads in the tuple."""
    return player[7]
