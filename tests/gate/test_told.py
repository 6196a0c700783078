"""
Signatures as a peer reads them.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.views.test_signatures import Desk, IShelf, Shelf
from txremote import Service, exposed
from txremote.gate.told import told_signature
from txremote.refs.contract import contract_of


class Odd(Service):
    @classmethod
    @exposed
    def named(cls, a: int) -> int:
        return a

    @exposed
    class Inner:
        def __init__(self, a: int) -> None: ...

    def __call__(self, word: str = "") -> str:
        return word

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("obj", "name", "text"),
    [
        (Desk(), "put", "(name: str, count: int = ..., *, at: Secret | None = ...) -> list[int]"),
        (Desk(), "plain", "(a, b=...)"),
        (Desk(), "blocked", "(a: int) -> int"),
        (Desk(), "fixed", "(a: int) -> int"),
        (Desk(), "exposed_builtin", "(obj, /)"),
        (Desk(), "exposed_unknown", None),
        (Desk(), "nothing", None),
        (Odd(), "named", "(a: int) -> int"),
        (Odd(), "Inner", "(a: int)"),
        (Odd(), "__call__", "(word: str = ...) -> str"),
        (Odd(), "__len__", None),
    ],
)
def test_it_is_as_it_is_written_but_for_defaults(obj: Any, name: str, text: str | None) -> None:
    assert told_signature(obj, name, None) == text


def test_an_interface_tells_its_own() -> None:
    contract = contract_of(IShelf).names["put"]
    assert told_signature(Shelf(), "put", contract) == "(name: str, count: int = ...) -> bool"
