"""
A remote method's signature is read from a text, and nothing in it is evaluated.
"""

from __future__ import annotations

import inspect
from inspect import Parameter

import pytest
from hypothesis import given, strategies as st

from txremote.refs.remote_signatures import (
    LONGEST,
    RemoteFunction,
    parse_signature,
    with_self,
)


@pytest.mark.parametrize(
    "text",
    [
        "()",
        "(a, b=...)",
        "(items: list[Item], at: datetime | None = ...) -> Item",
        "(a, /, b: 'Late', *, c: int = ..., **more: str) -> dict[str, int]",
        "(*args: int, c)",
        "() -> None",
    ],
)
def test_it_is_shown_as_it_was_written(text: str) -> None:
    """Annotations without quotes, defaults as dots."""
    assert str(parse_signature(text)) == text


def test_its_parameters_are_told() -> None:
    found = parse_signature("(a: int, b=..., *c, d=..., **e)")
    assert found is not None
    kinds = [each.kind for each in found.parameters.values()]
    assert kinds == [
        *(Parameter.POSITIONAL_OR_KEYWORD, Parameter.POSITIONAL_OR_KEYWORD),
        *(Parameter.VAR_POSITIONAL, Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD),
    ]
    assert found.parameters["a"].annotation == "int"
    assert found.parameters["a"].default is Parameter.empty
    assert found.parameters["b"].default is not Parameter.empty
    assert found.bind(1, d=2).arguments == {"a": 1, "d": 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        "(a, a)",
        "(a=1, b)",
        "(): import os",
        "():\n  pass\nimport os\ndef g()",
        "() -> int: pass; x = (1",
        "(a: \x00)",
        "(" * 2000,
        "(a: " + "[" * 1500 + "]" * 1500 + ")",
        "(a" + " " * LONGEST + ")",
        None,
        b"()",
        3,
    ],
)
def test_what_is_no_signature_is_none(text: object) -> None:
    """A peer may send anything."""
    assert parse_signature(text) is None


@given(st.text(max_size=50))
def test_any_text_is_a_signature_or_none(text: str) -> None:
    found = parse_signature(text)
    assert found is None or isinstance(found, inspect.Signature)
    parse_signature(f"({text})")


def test_a_default_is_not_evaluated() -> None:
    found = parse_signature("(a=open('x'), b: print('y') = 1) -> exit()")
    assert str(found) == "(a=..., b: print('y') = ...) -> exit()"


def test_inspect_takes_it_for_a_method_s() -> None:
    found = parse_signature("(self, a: int)")
    assert found is not None
    assert str(with_self(found)) == "(_self, /, self, a: int)"
    found = parse_signature("(a: int)")
    assert found is not None
    function = RemoteFunction(found, "put", "Put it there.")
    assert str(inspect.signature(function)) == "(self, /, a: int)"
    assert function.__doc__ == "Put it there."
    with pytest.raises(TypeError, match="put is a method of a remote object: call it there"):
        function(1)
    with pytest.raises(TypeError):
        inspect.getfile(function)  # type: ignore[arg-type]
