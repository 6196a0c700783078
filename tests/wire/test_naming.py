"""
Naming: names are found without running the code of what is named.
"""

from __future__ import annotations

from typing import Any

import pytest

from txremote.wire.naming import (
    attributes_of,
    bases_of,
    class_module,
    class_name,
    class_qualname,
    full_name,
    is_a,
    sentence,
    text_of,
    with_article,
)


class Touched(BaseException):
    """What everything raises that must not be touched."""


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise Touched(name)


def untouchable() -> type:
    """Return a class that nobody but these functions can look at (pytest would)."""

    class Untouchable(metaclass=Meta):
        def __getattribute__(self, name: str) -> Any:
            raise Touched(name)

        def __repr__(self) -> str:
            raise Touched("repr")

        def __bool__(self) -> bool:
            raise Touched("bool")

    return Untouchable


def test_an_untouchable_object_is_named() -> None:
    kind = untouchable()
    it = kind()
    assert class_name(kind) == "Untouchable"
    assert class_qualname(kind) == "untouchable.<locals>.Untouchable"
    assert class_module(kind) == __name__
    assert full_name(kind) == f"{__name__}.Untouchable"
    assert bases_of(kind) == (kind, object)
    assert is_a(it, object)
    assert not is_a(it, (int, str))
    assert attributes_of(it) == {}
    assert text_of(it) is None


def test_a_class_without_a_module_has_a_name() -> None:
    kind = eval("type('Thing', (), {})", {"type": type})
    with pytest.raises(AttributeError):
        kind.__module__
    assert full_name(kind) == "?.Thing"


@pytest.mark.parametrize("module", [5, None, object(), property(lambda self: "x")])
def test_a_module_that_is_no_text_is_not_shown(module: Any) -> None:
    """The repr of an object tells its address."""
    assert class_module(type("Thing", (), {"__module__": module})) == "?"


def test_a_text_of_a_class_of_its_own_becomes_plain() -> None:
    class Text(str):
        def __str__(self) -> str:
            raise Touched("str")

    kind = type(Text("Thing"), (), {"__repr__": lambda self: Text("a thing")})
    assert type(class_name(kind)) is str
    assert type(text_of(kind())) is str
    assert text_of(kind()) == "a thing"


@pytest.mark.parametrize("kind", [int, type, Exception, "function", "module"])
def test_attributes_are_those_that_stand_in_the_dictionary(kind: Any) -> None:
    def function() -> None:
        pass

    function.mark = 1  # type: ignore[attr-defined]
    found = {"function": function, "module": pytest}.get(kind, kind)
    own = type.__dict__["__dict__"].__get__(found) if is_a(found, type) else vars(found)
    assert attributes_of(found) == own


def test_what_has_no_dictionary_or_makes_one_up_has_no_attributes() -> None:
    class Slots:
        __slots__ = ("x",)

    class Makes:
        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise Touched("dict")

    for value in (5, "x", Slots(), Makes(), None, 1j):
        assert attributes_of(value) == {}


def test_a_problem_is_a_sentence_whatever_it_says() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise Touched("str")

    assert sentence(ValueError("too long")) == "ValueError: too long"
    assert sentence(KeyError()) == "KeyError"
    assert sentence(Silent("x")) == "Silent"


def test_a_class_has_the_article_of_its_name() -> None:
    for name in ("Item", "object", "Undo", "Upload", "OnError", "Uninstalled", "ndarray"):
        assert with_article(name) == f"an {name}"
    for name in ("list", "User", "UUID", "URL", "Unit", "Union", "Usage", "One", "OneTimeCode", ""):
        assert with_article(name) == f"a {name}"
