"""
What a program declares: marks, prefixes, opened interfaces.
"""

from __future__ import annotations

import collections
from typing import Any

import pytest
from zope.interface import (
    Attribute,
    Interface,
    alsoProvides,
    directlyProvides,
    implementer,
    noLongerProvides,
    provider,
)

from txremote import exposed, threaded
from txremote.gate.exposure import (
    checked,
    class_attributes,
    exposure_of,
    is_class,
    is_declared_class,
    is_exposed,
    is_method,
    mark_of,
    name_of,
    open_interface,
    shown,
    static,
)
from txremote.gate.threaded import ThreadedCall
from txremote.refs.contract import contract_of


class IBase(Interface):
    def reset() -> None:
        """Start anew."""


class ICalculator(IBase):
    pi = Attribute("A number.")

    def add(a: Any, b: Any) -> Any:
        """Add two numbers."""


class IScientific(ICalculator):
    def log(a: Any) -> Any:
        """Not opened."""


class IBell(Interface):
    def ring() -> None:
        """Opened as well."""


open_interface(ICalculator)
open_interface(IBell)


@implementer(ICalculator)
class Calculator:
    pi = 3.14

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def reset(self) -> None: ...


@implementer(IScientific)
class Scientific(Calculator):
    def log(self, a: Any) -> Any: ...


class Plain:
    def add(self, a: Any, b: Any) -> Any: ...


def names(obj: Any) -> set[str] | None:
    found = exposure_of(obj)
    return None if found is None else set(found.names())


# -- marks


def test_a_mark_counts_where_it_stands() -> None:
    """On a function, in a property or a class method; not on what inherits it."""

    @exposed
    def open_to_all() -> None: ...

    assert is_exposed(open_to_all, "exposed_")
    assert is_exposed(staticmethod(open_to_all), "exposed_")
    assert is_exposed(property(open_to_all), "exposed_")
    assert not is_exposed(exposed(type("Open", (), {}))(), "exposed_")


def test_a_mark_is_for_one_prefix() -> None:
    """The last one counts where there are two, and what is no str marks nothing."""

    @exposed("admin_")
    def stop() -> None: ...

    for it in (stop, staticmethod(stop), classmethod(stop), property(stop), threaded(stop)):
        assert mark_of(it) == "admin_"
        assert is_exposed(it, "admin_")
        assert not is_exposed(it, "exposed_")
    assert mark_of(exposed(stop)) == "exposed_"
    stop.__exposed__ = True  # type: ignore[attr-defined]
    assert mark_of(stop) is mark_of(len) is mark_of(property()) is None


def test_a_class_is_told_by_its_type() -> None:
    """Whatever it says of itself."""

    class Liar:
        __class__ = type  # type: ignore[assignment]

    assert is_class(int)
    assert is_class(Liar)
    assert not is_class(Liar())
    assert name_of(Liar) == name_of(Liar()) == "Liar"


def test_names_of_classes_are_read_without_running_code() -> None:
    """A property is the property itself."""

    class Loud:
        @property
        def value(self) -> int:
            raise AssertionError("run")

    assert type(static(Loud(), "value")) is property
    assert type(static(Loud, "value")) is property
    assert static(Loud(), "other") is None
    assert type(class_attributes(Loud())["value"]) is property
    assert not is_method(class_attributes(Loud())["value"])
    assert is_method(class_attributes(Plain())["add"])


def test_a_long_name_is_not_repeated() -> None:
    """An error would carry it back, and into the log."""
    assert shown("add") == "'add'"
    assert shown("x" * 1000) == "a name of 1000 characters"


@exposed
class Marked:
    pass


class Unmarked(Marked):
    pass


class exposed_Named:
    pass


@pytest.mark.parametrize(
    "kind",
    [Marked, exposed_Named, int, str, list, dict, type(None), collections.deque, KeyError],
)
def test_a_declared_class(kind: type) -> None:
    """By its mark, by its name, or since it tells of a value or an exception."""
    assert is_declared_class(kind, "exposed_")


@pytest.mark.parametrize("kind", [Unmarked, Plain, type, object, property, Calculator])
def test_a_class_that_nobody_declared(kind: type) -> None:
    """The mark of its base is not its own; what its instances provide neither."""
    assert not is_declared_class(kind, "exposed_")


def test_a_class_is_declared_for_the_prefix_of_its_mark() -> None:
    """As a method is."""
    admin = exposed("admin_")(type("Console", (), {}))
    assert is_declared_class(admin, "admin_")
    assert not is_declared_class(admin, "exposed_")
    assert not is_declared_class(Marked, "admin_")


def test_no_class_is_declared_where_nothing_is_exposed() -> None:
    """With allow_exposed_attrs off there is no prefix."""
    assert not is_declared_class(Marked, "")
    assert not is_declared_class(exposed_Named, "")
    assert is_declared_class(int, "")


# -- interfaces


def test_an_object_has_the_names_of_its_opened_interfaces() -> None:
    """With those that they extend; one that extends an opened one adds nothing."""
    assert names(Calculator()) == {"add", "pi", "reset"}
    assert names(Scientific()) == {"add", "pi", "reset"}
    assert str(exposure_of(Scientific())) == "ICalculator"


def test_an_object_may_provide_several() -> None:
    """Also one by one, and no longer."""
    calculator = Calculator()
    alsoProvides(calculator, IBell)
    assert names(calculator) == {"add", "pi", "reset", "ring"}
    assert str(exposure_of(calculator)) == "IBell and ICalculator"
    noLongerProvides(calculator, IBell)
    assert names(calculator) == {"add", "pi", "reset"}


def test_an_object_may_provide_what_its_class_does_not() -> None:
    """Another one of the class is exposed by nothing."""
    plain = Plain()
    directlyProvides(plain, ICalculator)
    assert names(plain) == {"add", "pi", "reset"}
    assert names(Plain()) is None


def test_a_class_provides_what_it_says_of_itself() -> None:
    """And not what its instances do."""

    @provider(IBell)
    class Ringing:
        pass

    assert names(Ringing) == {"ring"}
    assert names(Ringing()) is None
    assert names(Calculator) is None


@pytest.mark.parametrize("it", [3, None, [], {}, len, int, type, Plain, Plain(), object(), Marked])
def test_what_declares_nothing_is_exposed_by_none(it: Any) -> None:
    """And asking leaves no traces on its class."""
    assert exposure_of(it) is None
    assert not {"__providedBy__", "__implemented__"} & set(vars(Marked))


def test_an_interface_that_is_not_opened_exposes_nothing() -> None:
    """It is declared for the program itself."""

    class IInside(Interface):
        def add(a: Any) -> Any: ...

    @implementer(IInside)
    class Inside:
        pass

    assert exposure_of(Inside()) is None
    open_interface(IInside)
    assert names(Inside()) == {"add"}


def test_a_name_that_is_not_declared_is_refused_by_the_interface_s_name() -> None:
    """The sentence says where to declare it."""
    exposure: Any = exposure_of(Calculator())
    assert exposure.method("add") is contract_of(ICalculator).names["add"]
    assert exposure.method("pi") is None
    assert exposure.method("__eq__", {"__eq__"}) is None
    for name, safe in (("shutdown", ()), ("__len__", {"__len__"}), ("__eq__", ())):
        with pytest.raises(
            AttributeError, match="Calculator is exposed by ICalculator, which declares no such"
        ):
            exposure.method(name, safe)


def test_only_attributes_may_be_changed() -> None:
    """A method is the program's."""
    exposure: Any = exposure_of(Calculator())
    exposure.check_attribute("pi")
    with pytest.raises(AttributeError, match="'add': it is a method of ICalculator"):
        exposure.check_attribute("add")
    with pytest.raises(AttributeError, match="declares no such name"):
        exposure.check_attribute("__eq__")


def test_a_checked_method_refuses_what_does_not_fit_before_it_runs() -> None:
    """And makes any other call; one for a thread is left to the connection."""
    method: Any = contract_of(ICalculator).names["add"]
    calls = []

    def add(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return sum(args)

    it = checked(method, add)
    assert it(1, 2) == 3
    with pytest.raises(TypeError, match=r"ICalculator\.add\(a, b\): "):
        it(1)
    assert calls == [(1, 2)]
    assert it.__name__ == "add"
    waiting = checked(method, threaded(add))(1, b=2)
    assert type(waiting) is ThreadedCall
    assert (waiting.args, waiting.kwargs) == ((1,), {"b": 2})
    with pytest.raises(TypeError, match="ICalculator"):
        checked(method, threaded(add))(1)
    assert calls == [(1, 2)]
