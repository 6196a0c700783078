"""Places, and what is wanted of the parts of an object."""

from __future__ import annotations

from txremote.refs.copy_nodes import ANYTHING
from txremote.refs.wanted import Parts, Place, wrong


def test_a_place_is_told_from_its_beginning() -> None:
    place = Place("items").at("[3]").at(".price")
    assert (str(place), place.depth) == ("items[3].price", 2)
    assert str(wrong(place, "it is none")) == "items[3].price: it is none"


def test_items_are_wanted_alike_or_each_for_itself() -> None:
    assert Parts(item=ANYTHING).of_item(7) is ANYTHING
    assert [Parts(items=(ANYTHING, None)).of_item(n) for n in range(3)] == [ANYTHING, None, None]


def test_values_are_wanted_alike_or_by_their_keys() -> None:
    assert Parts(item=ANYTHING).of_value(("any", "key")) is ANYTHING
    fields = Parts(fields={"name": ANYTHING})
    assert [fields.of_value(key) for key in ("name", "other", 5)] == [ANYTHING, None, None]
