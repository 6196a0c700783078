"""The sentences of the gate's refusals: how a name is exposed, and a value sent as one."""

from __future__ import annotations

import datetime
import enum
import pathlib
import re
from array import array
from collections import namedtuple
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import pytest

from txremote.config import DEFAULT_CONFIG
from txremote.gate.access import AccessPolicy
from txremote.gate.refusals import marking, refusal


@dataclass
class Item:
    name: str


class Money(msgspec.Struct):
    amount: int


class Colour(enum.Enum):
    RED = 1


Point = namedtuple("Point", "x y")


class Desk:
    name = "oak"


class Table(dict):  # type: ignore[type-arg]
    """A subclass of what could go as a value."""


def refused(obj: Any, name: str) -> str:
    with pytest.raises(AttributeError) as caught:
        AccessPolicy(DEFAULT_CONFIG).get(obj, name)
    return str(caught.value)


OF_PYTHON = [
    (datetime.datetime(2024, 1, 1), "year"),
    (datetime.date(2024, 1, 1), "isoformat"),
    (datetime.timedelta(1), "days"),
    (Decimal(1), "is_nan"),
    (Fraction(1, 2), "numerator"),
    (UUID(int=1), "hex"),
    (pathlib.PurePosixPath("/a"), "parent"),
    (re.compile("a"), "match"),
    (array("d"), "typecode"),
]
OF_PROGRAMS = [
    (Item("tea"), "name"),
    (Money(1), "amount"),
    (Colour.RED, "value"),
    (Point(1, 2), "x"),
]


@pytest.mark.parametrize(("obj", "name"), OF_PYTHON, ids=str)
def test_a_value_of_pythons_own_is_copied_or_sent_as_one(obj: Any, name: str) -> None:
    """Nobody can mark a name of it as exposed."""
    sentence = refused(obj, name)
    assert f"{type(obj).__name__} that goes by reference opens no such name" in sentence
    for way in ("await fetch(ref)", "txremote.blocking.fetch", "value(x)", "values=True"):
        assert way in sentence
    assert "@exposed" not in sentence


@pytest.mark.parametrize(("obj", "name"), OF_PROGRAMS, ids=str)
def test_a_record_has_its_name_exposed_or_is_sent_as_a_value(obj: Any, name: str) -> None:
    sentence = refused(obj, name)
    for way in (f"mark it with @exposed or call it exposed_{name}", "value(x)", "values=True"):
        assert way in sentence


@pytest.mark.parametrize("obj", [Desk(), Table(name=1)], ids=["Desk", "Table"])
def test_what_is_no_value_is_exposed(obj: Any) -> None:
    assert refused(obj, "secret") == (
        f"cannot access 'secret': {type(obj).__name__} exposes no such name (mark it with "
        "@exposed or call it exposed_secret)"
    )


def test_a_private_name_is_told_without_advice() -> None:
    assert str(refusal(Item("tea"), "_name", "exposed_")) == "cannot access '_name' of Item"


def test_the_mark_has_the_prefix_of_the_configuration() -> None:
    assert marking("exposed_") == "@exposed"
    assert marking("game_") == "@exposed('game_')"
