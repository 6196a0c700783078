"""
Records: what a value of a class arrives as.
"""

from __future__ import annotations

import copy
import pickle

import pytest

from txremote.wire.record import (
    KIND_ENUM,
    KIND_NAMEDTUPLE,
    KIND_OBJECT,
    Record,
    is_record,
    make_record,
    record_fields,
    record_kind,
    record_name,
)

ITEM = Record("Item", name="tea", price=3)


def test_a_record_has_its_fields_as_attributes() -> None:
    assert (ITEM.name, ITEM.price) == ("tea", 3)
    assert ITEM.asdict() == {"name": "tea", "price": 3}
    assert repr(ITEM) == "Record('Item', name='tea', price=3)"
    assert repr(Record("Empty")) == "Record('Empty')"
    assert repr(make_record(KIND_ENUM, "Color", {"name": "RED"})) == "<Record Color.RED>"
    with pytest.raises(AttributeError):
        _ = ITEM.nothing


def test_records_are_equal_by_class_name_kind_and_fields() -> None:
    assert Record("Item", name="tea", price=3) == ITEM
    assert hash(Record("Item", name="tea", price=3)) == hash(ITEM)
    assert Record("Item", name="tea", price=4) != ITEM
    assert Record("Item", price=3, name="tea") != ITEM
    assert Record("Other", name="tea", price=3) != ITEM
    assert make_record(KIND_NAMEDTUPLE, "Item", {"name": "tea", "price": 3}) != ITEM
    assert ITEM != {"name": "tea", "price": 3}


def test_a_record_is_a_constant() -> None:
    with pytest.raises(AttributeError, match="constant"):
        ITEM.name = "coffee"
    with pytest.raises(AttributeError, match="constant"):
        del ITEM.name
    with pytest.raises(TypeError, match="unhashable"):
        hash(Record("Item", tags=[]))


def test_no_field_hides_what_a_record_is() -> None:
    record = Record("Item", asdict=1, fields=2, name=3, kind=4)
    assert (record_name(record), record_kind(record)) == ("Item", KIND_OBJECT)
    assert record_fields(record) == {"asdict": 1, "fields": 2, "name": 3, "kind": 4}
    assert Record.asdict(record)["asdict"] == 1
    assert record.asdict == 1
    assert is_record(record) and not is_record({})


@pytest.mark.parametrize("name", ["", "a b", "__class__", "__record__", "__dict__", "1"])
def test_names_that_are_no_names_of_fields_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no name|is no field"):
        Record("Item", **{name: 1})
    with pytest.raises(ValueError, match="no name"):
        Record("a.b")


def test_a_record_can_be_copied_and_pickled() -> None:
    enum = make_record(KIND_ENUM, "Color", {"name": "RED"})
    for record in (ITEM, enum):
        assert copy.deepcopy(record) == record == pickle.loads(pickle.dumps(record))
        assert record_kind(copy.copy(record)) == record_kind(record)
