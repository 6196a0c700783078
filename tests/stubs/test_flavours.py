"""
The ways to call.
"""

from __future__ import annotations

from importlib import import_module

from txremote.stubs.flavours import FLAVOURS


def test_each_has_names_of_its_own_that_can_be_imported() -> None:
    assert len({each.name for each in FLAVOURS}) == len({each.prefix for each in FLAVOURS}) == 3
    for flavour in FLAVOURS:
        for wrapper in (flavour.call, flavour.read):
            if wrapper is not None:
                assert hasattr(import_module(wrapper[0]), wrapper[1])
        assert hasattr(import_module("collections.abc"), flavour.iterator)
        assert hasattr(import_module("collections.abc"), flavour.iterable)
