"""
`Contract`: an interface's names and calls.
"""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface import Attribute, Interface, implementer
from zope.interface.interface import InterfaceClass

from txremote.refs.contract import contract_of


class IBase(Interface):
    def reset() -> None:
        """Start anew."""


class ICalculator(IBase):
    """What adds."""

    precision = Attribute("How many digits.")

    def add(a: Any, b: Any) -> Any:
        """Add two numbers."""

    def power(base: Any, exponent: Any = 2) -> Any:
        """Raise a number."""

    def total(first: Any, *more: Any, **options: Any) -> Any:
        """Add all."""

    def __len__() -> int:
        """Tell how many results there are."""


@implementer(IBase)
class Implements:
    def reset(self) -> None: ...


CONTRACT = contract_of(ICalculator)


def method(name: str) -> Any:
    found = CONTRACT.names[name]
    assert found is not None
    return found


def test_it_has_the_names_of_the_interface_and_of_what_it_extends() -> None:
    """Methods with how they are called, attributes with nothing."""
    assert set(CONTRACT.names) == {"reset", "precision", "add", "power", "total", "__len__"}
    assert CONTRACT.names["precision"] is None
    assert CONTRACT.name == "ICalculator"
    assert CONTRACT.interface is ICalculator


def test_an_interface_has_one_contract() -> None:
    """However often it is asked for; one that extends it has its own."""
    assert contract_of(ICalculator) is CONTRACT
    assert contract_of(IBase) is not CONTRACT
    assert set(contract_of(IBase).names) == {"reset"}


def test_a_method_is_read_from_its_source_once() -> None:
    """Each call asks for its annotations."""
    assert method("add").function() is method("add").function()


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("add", (1, 2), {}),
        ("add", (1,), {"b": 2}),
        ("add", (), {"b": 2, "a": 1}),
        ("power", (1,), {}),
        ("power", (1, 2), {}),
        ("power", (1,), {"exponent": 3}),
        ("total", (1,), {}),
        ("total", (1, 2, 3, 4), {"rounded": True}),
        ("reset", (), {}),
        ("__len__", (), {}),
    ],
)
def test_a_call_that_fits_is_let_through(name: str, args: Any, kwargs: Any) -> None:
    """By position, by name, with defaults, with stars."""
    method(name).check(args, kwargs)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "sentence"),
    [
        ("add", (1,), {}, r"ICalculator\.add\(a, b\): missing a required argument: 'b'"),
        ("add", (1, 2, 3), {}, r"ICalculator\.add\(a, b\): too many positional arguments"),
        ("add", (1, 2), {"c": 3}, r"ICalculator\.add\(a, b\): .*unexpected keyword argument 'c'"),
        ("add", (1, 2), {"a": 3}, r"ICalculator\.add\(a, b\): multiple values for argument 'a'"),
        ("power", (), {}, r"ICalculator\.power\(base, exponent=2\): missing"),
        ("total", (), {}, r"ICalculator\.total\(first, \*more, \*\*options\): missing"),
        ("reset", (1,), {}, r"ICalculator\.reset\(\): too many"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_with_the_signature(
    name: str, args: Any, kwargs: Any, sentence: str
) -> None:
    """One sentence says what was wrong and how the method is called."""
    with pytest.raises(TypeError, match=sentence):
        method(name).check(args, kwargs)


def test_a_sentence_tells_no_address_and_repeats_no_long_name() -> None:
    """It goes to a peer, and the name may be the peer's own."""

    class IOdd(Interface):
        def odd(it: Any = object()) -> None: ...  # noqa: B008

    odd: Any = contract_of(IOdd).names["odd"]
    with pytest.raises(TypeError) as caught:
        odd.check((), {"x" * 100_000: 1})
    assert "0x" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_stands_for_a_method_is_described_as_the_method_is() -> None:
    """For ``help()``."""
    described = method("add").describe(lambda: None)
    assert described.__name__ == "add"
    assert described.__doc__ == "Add two numbers."
    assert str(described.__signature__) == "(a, b)"


@pytest.mark.parametrize("other", [object(), int, None, "ICalculator", Implements])
def test_what_is_no_interface_is_refused(other: Any) -> None:
    """A class that implements one is not one."""
    with pytest.raises(TypeError, match=r"is no zope\.interface Interface"):
        contract_of(other)


def test_an_interface_made_by_a_program_is_one_too() -> None:
    """Not only those that a class statement makes."""
    made = InterfaceClass("IMade", (IBase,), {})
    assert set(contract_of(made).names) == {"reset"}
