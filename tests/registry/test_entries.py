"""Leases, and what may be entered."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from txremote.errors import RegistryRefused
from txremote.registry.entries import Entries, EntryLimits
from txremote.registry.messages import Address

ONE, TWO = ("10.0.0.1", 1), ("10.0.0.2", 2)


class Registry:
    """Entries with a fake clock, and what they told."""

    def __init__(self, **limits: int) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, str, Address]] = []
        self.entries = Entries(
            self.clock.seconds,
            lease=60,
            limits=EntryLimits(**limits),
            added=lambda name, address: self.told.append(("+", name, address)),
            removed=lambda name, address: self.told.append(("-", name, address)),
        )


def test_capitals_make_no_difference() -> None:
    """As with RPyC."""
    registry = Registry()
    registry.entries.enter(("Shop",), ONE)
    assert registry.entries.find("sHOP") == (ONE,)
    assert registry.entries.names() == ("SHOP",)
    assert registry.entries.names("10.0.0.9") == ()
    assert registry.entries.find("till") == ()


def test_an_entry_ends_with_its_lease_unless_it_is_renewed() -> None:
    """The one that was renewed last is the last; each coming and going is told once."""
    registry = Registry()
    registry.entries.enter(("shop",), ONE)
    registry.entries.enter(("shop",), TWO)
    registry.clock.advance(40)
    registry.entries.enter(("shop",), ONE)
    assert registry.entries.find("shop") == (TWO, ONE)
    registry.clock.advance(40)
    assert registry.entries.find("shop") == (ONE,)
    registry.clock.advance(40)
    assert registry.entries.names() == ()
    assert registry.told == [
        *(("+", "SHOP", ONE), ("+", "SHOP", TWO)),
        *(("-", "SHOP", TWO), ("-", "SHOP", ONE)),
    ]


def test_a_server_leaves_with_all_its_names() -> None:
    """And no other does."""
    registry = Registry()
    registry.entries.enter(("shop", "till"), ONE)
    registry.entries.enter(("shop",), TWO)
    registry.entries.remove(ONE)
    registry.entries.remove(ONE)
    assert registry.entries.names() == ("SHOP",)
    assert registry.entries.find("shop") == (TWO,)


def test_there_are_bounds_and_old_entries_make_room() -> None:
    """For all, and for one host, which cannot keep the others out."""
    registry = Registry(max_entries=5, max_per_host=3)
    registry.entries.enter(("a", "b", "c"), ONE)
    with pytest.raises(RegistryRefused, match=r"3 of 10.0.0.1 \(at most 3\)"):
        registry.entries.enter(("d",), ONE)
    registry.entries.enter(("a",), ONE)  # a renewal is none more
    registry.entries.enter(("a", "b"), TWO)
    with pytest.raises(RegistryRefused, match=r"it has 5 entries \(at most 5\)"):
        registry.entries.enter(("d",), ("10.0.0.3", 3))
    registry.clock.advance(61)
    registry.entries.enter(("d",), ("10.0.0.3", 3))
    assert registry.entries.names() == ("D",)
