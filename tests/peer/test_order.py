"""
The gate's answer does not depend on what was asked before, nor by whom.

All connections of a listener share one policy, which remembers what it has found out
about classes. Here objects are asked for names in any order, and declarations change in
between; each answer is the one that a policy gives that was never asked before.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from zope.interface import alsoProvides, classImplements, directlyProvides, noLongerProvides
from zope.interface.interface import InterfaceClass, Method

from tests.examples import examples
from txremote import ConnectionConfig, expose, exposed
from txremote.gate.access import AccessPolicy

CONFIGS = {
    "exposed": ConnectionConfig(),
    "public": ConnectionConfig(allow_public_attrs=True),
    "another prefix": ConnectionConfig(exposed_prefix="admin_"),
}
NAMES = [
    "hello",
    "peek",
    "late",
    "open",
    "exposed_hello",
    "exposed_peek",
    "exposed_open",
    "__len__",
]


def function(text: str, mark: bool = False) -> Callable[..., str]:
    """Return a function that gives a text, perhaps one that is marked."""

    def give(*_args: Any) -> str:
        return text

    return exposed(give) if mark else give


class World:
    """Three classes with two objects each, and what may happen to them."""

    def __init__(self) -> None:
        self.interfaces = [
            InterfaceClass(f"I{name}", attrs={name: Method(name)}) for name in ("hello", "open")
        ]
        body = {"hello": function("hello", mark=True), "peek": function("peek", mark=True)}
        base = type("Base", (), {**body, "__len__": lambda self: 3})
        derived = type("Derived", (base,), {"exposed_open": function("open")})
        declaring = type("Declaring", (derived,), {})
        classImplements(declaring, self.interfaces[1])
        self.classes = [base, derived, declaring]
        self.objects = [kind() for kind in self.classes * 2]

    def provide(self, number: int, which: int) -> None:
        """One object provides an interface by itself, and no other."""
        directlyProvides(self.objects[number], self.interfaces[which])

    def provide_also(self, number: int, which: int) -> None:
        """One object provides an interface besides."""
        alsoProvides(self.objects[number], self.interfaces[which])

    def provide_no_longer(self, number: int, which: int) -> None:
        """One object provides an interface no longer."""
        if self.interfaces[which] not in self.declared(number):
            return
        with suppress(ValueError):  # it is done, and the class still implements it
            noLongerProvides(self.objects[number], self.interfaces[which])

    def declared(self, number: int) -> Any:
        """What an object declares by itself."""
        found = vars(self.objects[number]).get("__provides__", ())
        return list(found)[:-1]  # the last one stands for its class

    def implement(self, number: int, which: int) -> None:
        """A class implements an interface, after objects of it were made."""
        classImplements(self.classes[number % 3], self.interfaces[which])

    def open(self, _number: int, which: int) -> None:
        """An interface is opened, after objects that provide it were handed out."""
        expose(self.interfaces[which])

    def hide(self, number: int, which: int) -> None:
        """A method is replaced by one without the mark."""
        name = ("hello", "exposed_open")[which]
        setattr(self.classes[number % 3], name, function(f"other {name}"))

    def mark(self, number: int, which: int) -> None:
        """A method with the mark comes late."""
        setattr(self.classes[number % 3], ("late", "hello")[which], function("late", mark=True))

    def decide(self, number: int, which: int) -> None:
        """A class decides for itself from now on."""
        kind: Any = self.classes[number % 3]
        kind._rpyc_getattr = lambda _self, name: function(f"chosen {which} {name}")

    def own(self, number: int, which: int) -> None:
        """An object has an attribute of its own."""
        name = ("open", "exposed_hello")[which]
        setattr(self.objects[number], name, function(f"own {name}"))


CHANGES = [
    *(World.provide, World.provide_also, World.provide_no_longer, World.implement, World.open),
    *(World.hide, World.mark, World.decide, World.own),
]


def answer(policy: AccessPolicy, obj: Any, name: str) -> Any:
    """Return what a peer gets that calls a name with two arguments, or why it gets nothing."""
    try:
        found = policy.get(obj, name)
        return found(1, 2) if name != "__len__" else found()
    except (AttributeError, TypeError) as refusal:
        return type(refusal), str(refusal)


ASKED = st.tuples(st.integers(0, 5), st.sampled_from(NAMES))
CHANGED = st.tuples(st.sampled_from(CHANGES), st.integers(0, 5), st.integers(0, 1))


@settings(max_examples=examples(120), deadline=None)
@given(
    config=st.sampled_from(sorted(CONFIGS)),
    steps=st.lists(st.one_of(ASKED, ASKED, CHANGED), min_size=2, max_size=25),
)
def test_the_answer_is_that_of_a_policy_which_was_never_asked(config: str, steps: Any) -> None:
    """Whatever was asked, and whatever was declared in between."""
    shared = AccessPolicy(CONFIGS[config])
    world = World()
    for step in steps:
        if len(step) == 3:
            change, number, which = step
            change(world, number, which)
            continue
        number, name = step
        obj = world.objects[number]
        assert answer(shared, obj, name) == answer(AccessPolicy(CONFIGS[config]), obj, name)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda it: it.__name__)
def test_no_single_change_is_missed(config: str, change: Any) -> None:
    """Each one, when everything was asked before."""
    for number in range(6):
        for which in range(2):
            shared = AccessPolicy(CONFIGS[config])
            world = World()
            if change is World.open:
                world.provide(number, which)
            if change is World.implement or change is World.provide:
                world.open(number, which)
            for _ in range(2):
                for obj in world.objects:
                    for name in NAMES:
                        fresh = answer(AccessPolicy(CONFIGS[config]), obj, name)
                        assert answer(shared, obj, name) == fresh, (obj, name)
                change(world, number, which)
