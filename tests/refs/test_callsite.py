"""
Whether an attribute that is read is called at once, as the compiler has it.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from txremote.refs.callsite import is_called_at_once


class Asked:
    """Notes how each of its attributes is read."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def __getattr__(self, name: str) -> Any:
        self.seen.append((name, is_called_at_once(sys._getframe(1), name)))
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


CALLED = [
    "it.name()",
    "it.name(1, 2)",
    "it.name(1, b=2)",
    "it.name(it)",
    "(yes := it.name(1))",
    "[it.name(x) for x in (1,)]",
    "(lambda: it.name())()",
    "it.\\\n name()",
    "f'{it.name()!s:.0}'",
]
READ = [
    "it.name",
    "(f := it.name)()",
    "getattr(it, 'name')()",
    "hasattr(it, 'name')",
    "it.name == 3",
    "it.name is None",
    "len([it.name])",
    "print(it.name, file=it)",
    "(it.name,)",
    "it.name if it.name else 0",
    "list(map(lambda _: it.name, (1,)))",
    "{**{'a': it.name}}",
    "it(it.name)",
    "__import__('operator').attrgetter('name')(it)",
]


@pytest.mark.parametrize("source", CALLED)
def test_a_call_by_name_is_known(source: str) -> None:
    it = Asked()
    eval(source, {"it": it})
    assert set(it.seen) == {("name", True)}


@pytest.mark.parametrize("source", READ)
def test_whatever_else_is_done_with_a_name_is_no_call(source: str) -> None:
    it = Asked()
    eval(source, {"it": it})
    assert {(name, called) for name, called in it.seen if name != "write"} == {("name", False)}


def test_the_last_name_of_a_path_is_the_one_that_is_called() -> None:
    it = Asked()
    it.first.second.third(it.argument)
    assert it.seen == [("first", False), ("second", False), ("third", True), ("argument", False)]


@pytest.mark.parametrize("count", [10, 300, 40_000])
def test_code_with_many_names_is_read_right(count: int) -> None:
    """Numbers of names that do not fit in one instruction."""
    it = Asked()
    names = "".join(f"n{number} = 0\n" for number in range(count))
    exec(f"{names}it.called(1)\nit.read\nit.called(it.read)", {"it": it})
    assert it.seen == [("called", True), ("read", False), ("called", True), ("read", False)]


def test_it_is_known_while_the_code_is_traced() -> None:
    """By a debugger, a profiler or coverage."""
    it = Asked()

    def traced() -> None:
        it.called()
        it.read

    before = sys.gettrace()
    sys.settrace(lambda *args: before and None)
    try:
        traced()
    finally:
        sys.settrace(before)
    assert it.seen == [("called", True), ("read", False)]


@pytest.mark.parametrize("at", [-1, 0, 1, 10_000])
def test_a_frame_that_makes_no_sense_calls_nothing(at: int) -> None:
    """Compiled callers have such."""
    code = SimpleNamespace(co_code=b"\0\0", co_names=())
    assert not is_called_at_once(SimpleNamespace(f_code=code, f_lasti=at), "name")  # type: ignore


def test_a_property_reads_for_itself() -> None:
    """What calls the property's value is another frame."""
    it = Asked()

    class Owner:
        @property
        def name(self) -> Any:
            return it.name

    Owner().name()
    assert it.seen == [("name", False)]
