"""
The fixed tables. That the gate keeps to them is shown in ``test_access.py``.
"""

from __future__ import annotations

import builtins
import collections
import subprocess
import sys
import types
from typing import Any

import pytest

from txremote.gate.builtin_types import (
    CLOSED,
    CONTAINERS,
    VALUE_CLASSES,
    never_handed_out,
)


def test_a_container_has_its_public_methods_and_a_generator_three() -> None:
    """What leads out of an object is in no table."""
    assert {"append", "pop", "sort"} <= CONTAINERS[list]
    assert "default_factory" not in CONTAINERS[collections.defaultdict]
    assert CLOSED[types.GeneratorType] == {"send", "throw", "close"}
    assert not CLOSED[types.FrameType]
    for names in CONTAINERS.values():
        assert not any(name.startswith("_") for name in names - {"__reversed__"})


class Loaded(types.ModuleType):
    """A module of a kind of its own."""


@pytest.mark.parametrize(
    ("it", "what"),
    [
        (sys, "a module"),
        (Loaded("loaded"), "a module"),
        (sys._getframe(), "a frame"),
        (collections.namedtuple.__code__, "a code object"),
        (types.TracebackType(None, sys._getframe(), 0, 1), "a traceback"),
    ],
)
def test_what_leads_to_everything_is_not_handed_out(it: Any, what: str) -> None:
    """It has a name for the error."""
    assert never_handed_out(type(it)) == what


@pytest.mark.parametrize(
    "it", [[], {}, len, pytest.fixture, (x for x in ()), ValueError(), object(), int]
)
def test_anything_else_may_be(it: Any) -> None:
    """Containers, functions, generators, objects; of classes the policy knows more."""
    assert never_handed_out(type(it)) is None


def test_classes_of_values_are_known() -> None:
    """Those that make objects of a program's own are not among them."""
    assert {int, str, list, dict, type(None)} <= VALUE_CLASSES
    assert not {type, object, property, types.FunctionType, types.ModuleType} & VALUE_CLASSES


FROZEN = """
import builtins

class frozendict:
    __module__ = "builtins"
    def __init__(self, held): self.held = held
    def keys(self): return self.held.keys()
    def values(self): return self.held.values()
    def items(self): return self.held.items()
    def __iter__(self): return iter(self.held)
    def __repr__(self): return f"frozendict({self.held!r})"

builtins.frozendict = frozendict
from txremote import ConnectionConfig
from txremote.gate.access import AccessPolicy
from txremote.gate.builtin_types import CONTAINERS
from txremote.gate.weight import NESTING
from txremote.refs.netref_class import builtin_methods

policy = AccessPolicy(ConnectionConfig())
assert frozendict in CONTAINERS and frozendict in NESTING
assert list(policy.get(frozendict({1: 2}), "keys")()) == [1]
assert "keys" in dict(builtin_methods(("builtins.frozendict", 1, 2)))
try:
    policy.repr(frozendict({1: "x" * 100_000_000}), 5)
except ValueError as error:
    print("weighed")
"""


def test_a_frozendict_is_a_container_where_python_has_it() -> None:
    """CPython 3.15; here is a class of that name and place."""
    if hasattr(builtins, "frozendict"):
        assert "keys" in CONTAINERS[builtins.frozendict]
        return
    told = subprocess.run(
        [sys.executable, "-c", FROZEN], capture_output=True, text=True, timeout=60
    )
    assert (told.stdout, told.stderr) == ("weighed\n", "")
