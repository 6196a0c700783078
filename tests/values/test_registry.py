"""
register_value: classes that are values by functions of the program's own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.extended import References, decoded, encoded, sent
from txremote.errors import NotSendable
from txremote.values.registry import is_registered, register_value
from txremote.wire import value_kinds
from txremote.wire.record import Record, record_fields, record_name


class Money:
    def __init__(self, amount: Any) -> None:
        if type(amount) is not int:
            raise ValueError("an amount is an int")
        self.amount = amount

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.amount == other.amount

    def __hash__(self) -> int:
        return hash(self.amount)


class Euro(Money):
    pass


class Node:
    children: Any = ()


@pytest.fixture(autouse=True)
def _registered() -> None:
    register_value(Money, lambda money: money.amount, Money, "money")
    register_value(Node, lambda node: node.children, lambda raw: Node(), "node")


def test_an_object_of_a_registered_class_arrives_as_one() -> None:
    money = Money(3)
    found = sent({"a": [money, money], "b": {money}})
    assert found == {"a": [money, money], "b": {money}}
    assert found["a"][0] is found["a"][1]
    assert is_registered(Money)
    assert not is_registered(Euro)


def test_the_default_name_is_the_class_s_module_and_name() -> None:
    class Other:
        pass

    register_value(Other, lambda other: 1, lambda raw: Other())
    assert f"{__name__}.test_the_default_name".encode() in encoded(Other())


def test_a_name_has_one_class() -> None:
    with pytest.raises(ValueError, match="is the name of"):
        register_value(Euro, lambda euro: 1, Euro, "money")
    register_value(Money, lambda money: money.amount, Money, "money")  # as after a reload


@pytest.mark.parametrize("wrong", [(1, repr, repr), (Money, 1, repr), (Money, repr, None)])
def test_what_is_no_class_or_function_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="a class and two functions"):
        register_value(*wrong)


def test_an_unknown_name_arrives_as_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded([Money(3)])
    monkeypatch.setattr(value_kinds, "_loads", {})
    [found] = decoded(data)
    assert type(found) is Record
    assert record_name(found) == "registered"
    assert record_fields(found) == {"name": "money", "payload": 3}


def test_what_load_refuses_is_the_error_of_the_call() -> None:
    references = References()
    data = encoded([Money(3), 7]).replace(b"\x53", b"\x03")
    assert decoded(data, references) == [None, 7]
    assert "a money cannot be made of what came for it" in str(references.refused)
    assert "ValueError: an amount is an int" in str(references.refused)


def test_an_object_that_holds_itself_is_refused() -> None:
    node = Node()
    node.children = [node]
    with pytest.raises(NotSendable, match="a Node that holds itself"):
        encoded(node)
