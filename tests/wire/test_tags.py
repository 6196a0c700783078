"""The tags of brine have names, and the names are what stands in the code."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import txremote.wire
from txremote.wire import consts, framing, tags
from txremote.wire.brine import dump

WIRE = Path(txremote.wire.__file__).parent
MODULES = sorted(path for path in WIRE.glob("*.py") if path.name != "tags.py")
NAMES = {**vars(framing), **vars(consts), **vars(tags)}


def literals(path: Path) -> Iterator[tuple[int, set[int], str]]:
    """Give the bytes that each line of a module writes as numbers, with its comment."""
    found: dict[int, set[int]] = {}
    comments: dict[int, str] = {}
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            line = token.start[0]
            if token.type == tokenize.COMMENT:
                comments[line] = token.string
            elif token.type == tokenize.NUMBER and token.string.startswith("0x"):
                value = int(token.string, 16)
                if value < 256:
                    found.setdefault(line, set()).add(value)
            elif token.type == tokenize.STRING and re.match("b[^r].*\\\\x", token.string):
                found.setdefault(line, set()).update(eval(token.string))
    for line, values in found.items():
        yield line, values, comments.get(line, "")


def named(comment: str) -> set[int]:
    """Return what the names in a comment stand for: ``INT_ZERO + LABEL_VALUE`` is their sum."""
    values = set()
    for words in re.findall(r"_?[A-Z]+_?[A-Z0-9_]+(?: \+ [A-Z]+_[A-Z0-9_]+)?", comment):
        values.add(sum(NAMES[name] for name in words.split(" + ")))
    return values


VALUES = [
    *(None, True, False, NotImplemented, Ellipsis, 1.5, 2j, 10**300, -(10**9), slice(1)),
    *("x" * size for size in (0, 3, 5, 300)),
    *(b"x" * size for size in (0, 1, 2, 3, 4, 5, 300)),
    *((1,) * size for size in (0, 1, 2, 3, 4, 5, 300)),
    frozenset({1}),
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_tag_that_is_written_as_a_number_has_its_name_beside_it(path: Path) -> None:
    for line, values, comment in literals(path):
        assert values <= named(comment), f"{path.name}:{line}"


def test_the_numbers_of_the_hot_loops_are_found() -> None:
    lines = list(literals(WIRE / "brine.py"))
    assert ({0x20, 0xEF}, "# INT_FIRST, INT_LAST") in [
        (values, text) for _at, values, text in lines
    ]


def test_every_value_begins_with_a_tag_that_has_a_name() -> None:
    tag_values = {value for name, value in vars(tags).items() if name.startswith("TAG_")}
    one_byte_ints = range(tags.INT_FIRST, tags.INT_LAST + 1)
    between = {*range(tags.TAG_BYTES_1, tags.TAG_BYTES_4), *range(tags.TAG_TUPLE_1, 0x13)}
    for value in VALUES:
        first = dump(value)[0]
        assert first in tag_values or first in between or first in one_byte_ints


def test_one_byte_is_an_int_from_48_below_zero_to_159() -> None:
    assert [dump(value)[0] for value in (-48, 0, 159)] == [
        tags.INT_FIRST,
        tags.INT_ZERO,
        tags.INT_LAST,
    ]
    assert len(dump(-49)) > 1 < len(dump(160))
