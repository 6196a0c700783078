"""
Jobs whose functions declare values, for the tests of pools: a child imports it.

Not a test file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from txremote import Service, exposed, offloaded


class Box(NamedTuple):
    width: int
    height: int


@dataclass
class Sheet:
    name: str
    boxes: list[Box]


def area(sheet: Sheet, scale: int = 1) -> int:
    assert type(sheet) is Sheet
    return scale * sum(box.width * box.height for box in sheet.boxes)


def wrong(sheet: Sheet) -> int:
    return sheet.name  # type: ignore[return-value]


def undeclared(sheet: Any) -> str:
    return type(sheet).__name__


class Printer(Service):
    """A service that knows nothing of values, with a method that does."""

    def __init__(self) -> None:
        self.ink = 2

    @exposed
    @offloaded
    def ink_for(self, sheet: Sheet) -> int:
        return self.ink * area(sheet)
