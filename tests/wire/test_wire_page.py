"""
The wire's page is right about extended values: its tables and its bytes are the codec's.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
from typing import Any

import pytest
from docutils import nodes

import txremote.values.libraries  # noqa: F401  the kinds of numpy, Arrow and pandas
from tests.document_runner import doctree
from tests.processes import ROOT
from tests.wire.extended import decoded, encoded
from txremote.wire import tags
from txremote.wire.record import KINDS, Record, make_record
from txremote.wire.value_kinds import LOADERS


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Color(enum.Enum):
    RED = 1


def tables() -> dict[str, list[list[str]]]:
    """Return the rows of the page's tables, by what the first column is called."""
    found = {}
    for table in doctree(ROOT / "docs" / "wire.rst").findall(nodes.table):
        rows = [
            [entry.astext() for entry in row.findall(nodes.entry)]
            for row in table.findall(nodes.row)
        ]
        found[rows[0][0]] = rows[1:]
    return found


TABLES = tables()
NAMES: dict[str, Any] = {
    "Point": Point,
    "Color": Color,
    "date": datetime.date,
    "Decimal": decimal.Decimal,
}
ARRIVES: dict[str, Any] = {
    "[Point(1, 2), Point(3, 4)]": [Record("Point", x=1, y=2), Record("Point", x=3, y=4)],
    r'{Color.RED: b"\xff\x00\x00"}': {
        make_record(2, "Color", {"name": "RED"}): b"\xff\0\0",
    },
}


@pytest.mark.parametrize(("source", "hexadecimal"), TABLES["Value"])
def test_an_example_is_written_and_read_as_the_page_says(source: str, hexadecimal: str) -> None:
    value = eval(source, dict(NAMES))
    data = bytes.fromhex(hexadecimal)
    assert encoded(value).hex(" ") == hexadecimal
    found = decoded(data)
    assert found == ARRIVES.get(source, value)
    if source.startswith("(x"):
        assert found[0] is found[1]


def test_the_page_has_each_kind_with_its_code_and_payload() -> None:
    page = {
        int(code): (kind.partition(",")[0], tuple(payload.split()), kind.endswith("numbered"))
        for code, kind, payload, _remark in TABLES["Code"]
    }
    codec = {
        code: (loader.name, loader.fields, loader.is_shared) for code, loader in LOADERS.items()
    }
    assert page == codec


def test_the_page_has_each_tag_of_ours() -> None:
    ours = {
        *(tags.TAG_LOCAL_REF, tags.TAG_REMOTE_REF, tags.TAG_LIST, tags.TAG_DICT, tags.TAG_SET),
        *(tags.TAG_RECORD, tags.TAG_SAME_SHAPE, tags.TAG_OTHER, tags.TAG_SHARED),
    }
    assert {int(row[0], 16) for row in TABLES["Tag"]} == ours
    assert len(KINDS) == 4


def test_the_page_is_right_about_what_things_count() -> None:
    costs = {loader.name: loader.cost for loader in LOADERS.values()}
    assert (costs["deque"], costs["Pattern"]) == (10, 10_000)
    assert (costs["IPv4Network"], costs["IPv6Interface"]) == (10, 10)
    assert isinstance(decoded(encoded(collections.deque())), collections.deque)
