"""Attributes for a peer: verdicts that are remembered, and names that are set and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gate.things import Thing
from txremote import ConnectionConfig, exposed
from txremote.gate.attributes import AttributePolicy


def policy(**switches: Any) -> AttributePolicy:
    return AttributePolicy(ConnectionConfig(**switches))


DEFAULT = policy()


# --- verdicts that are remembered -------------------------------------------------


def test_a_remembered_verdict_is_about_the_class_that_it_was_made_for() -> None:
    class First:
        @exposed
        def look(self) -> str:
            return "first"

    class Second(First):
        def look(self) -> str:
            return "second"

    it = policy()
    for _ in range(3):
        assert it.get(First(), "look")() == "first"
        with pytest.raises(AttributeError):
            it.get(Second(), "look")


def test_a_verdict_on_one_class_says_nothing_about_another_of_its_metaclass() -> None:
    class Meta(type):
        def secret(cls) -> str:
            return "secret"

    class Opened(metaclass=Meta):
        @exposed
        def secret(self) -> str:
            return "its own"

    class Other(metaclass=Meta):
        pass

    it = policy()
    assert it.get(Opened, "secret")
    with pytest.raises(AttributeError):
        it.get(Other, "secret")


def test_an_attribute_of_one_instance_opens_nothing_on_another() -> None:
    class Plain:
        def add(self) -> str:
            return "not for peers"

    it = policy()
    one = Plain()
    one.exposed_add = lambda: "mine"  # type: ignore[attr-defined]
    assert it.get(one, "add")() == "mine"
    with pytest.raises(AttributeError):
        it.get(Plain(), "add")
    assert it.get(one, "add")() == "mine"


def test_names_that_a_peer_makes_up_are_not_kept() -> None:
    it = policy()
    for number in range(100):
        with pytest.raises(AttributeError):
            it.get(Thing(), f"made_up_{number}")
    assert it.get(Thing(), "marked")
    assert sum(map(len, it._methods.values())) == 1


def test_classes_made_anew_for_every_call_do_not_pile_up() -> None:
    it = policy()
    for _ in range(2500):
        it.get(type("Fresh", (), {"exposed_x": lambda self: 1})(), "x")
    assert len(it._methods) <= 1000


# --- setting and deleting ---------------------------------------------------------


def test_setting_and_deleting_are_closed_until_they_are_opened() -> None:
    thing = Thing()
    with pytest.raises(AttributeError, match="allow_setattr"):
        DEFAULT.set(thing, "shown", 2)
    with pytest.raises(AttributeError, match="allow_delattr"):
        DEFAULT.delete(thing, "shown")
    assert thing.exposed_shown == 1


def test_what_can_be_set_is_what_can_be_read() -> None:
    it = policy(allow_setattr=True, allow_delattr=True)
    thing = Thing()
    it.set(thing, "shown", 5)
    assert thing.exposed_shown == 5
    it.delete(thing, b"exposed_shown")
    assert thing.exposed_shown == 1
    for name in ("public", "_private", "__class__", "__dict__", "hidden"):
        with pytest.raises(AttributeError):
            it.set(thing, name, 1)
        with pytest.raises(AttributeError):
            it.delete(thing, name)
    assert "public" not in vars(thing)
