"""A dataclass that server and client of `test_typed` have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: int
    tags: list[str]
