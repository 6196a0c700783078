"""
A stock RPyC's ids are memory addresses, and an address is used again.

Classes that come and go, under names of their own or under one name: each proxy does
what its own class does, as with a stock client.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.blocking.script_threads import scripted
from tests.interop.pairs import PAIRS, Pairs
from txremote import exposed

ROUNDS = 40

BODIES: list[dict[str, Any]] = [
    {"__len__": lambda self: 5},
    {"__getitem__": lambda self, key: key},
    {"__call__": exposed(lambda self: "called")},
    {"exposed_name": lambda self: "name"},
    {"exposed_name": 7},
]


class Maker:
    """Makes objects, each of a class that is made for it, and each of the next kind."""

    def __init__(self, name: str) -> None:
        self.made = 0
        self._name = name

    @exposed
    def __call__(self) -> Any:
        gc.collect()
        body = BODIES[self.made % len(BODIES)]
        self.made += 1
        return type(self._name.format(self.made), (), body)()


@contextmanager
def quick_collection() -> Iterator[None]:
    """Have the garbage collector look at nothing that was there before."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def do(thing: Any) -> list[Any]:
    """Return what each kind of object is asked, and gives or refuses."""
    done: list[Any] = []
    for act in (
        lambda: len(thing),
        lambda: thing["k"],
        lambda: thing(),
        lambda: thing.name if type(thing.name) is int else thing.name(),
    ):
        try:
            done.append(act())
        except (TypeError, AttributeError):
            done.append(None)
    return done


WANTED = [
    [5, None, None, None],
    [None, "k", None, None],
    [None, None, "called", None],
    [None, None, None, "name"],
    [None, None, None, 7],
]


@pytest.mark.parametrize("name", ["Kind{}", "Row"])
@scripted
def test_a_class_where_another_was_is_not_taken_for_it(name: str) -> None:
    """Whose names differ, and whose names are the same; each pair of the libraries."""
    make = Maker(name)
    with quick_collection(), Pairs({"it": make}, {}, {}) as pairs:
        for pair in PAIRS:
            root = pairs.root(*pair)
            for _ in range(ROUNDS):
                wanted = WANTED[make.made % len(WANTED)]
                thing = root.make("it")
                assert do(thing) == wanted, pair
                del thing
                gc.collect()
                root.ping()
