"""The exception with which a remote context is left."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from txremote.wire.brine import dump, load
from txremote.wire.consts import FEATURE_VALUES
from txremote.wire.exit_errors import LONGEST, exit_error, told_exit

OURS = frozenset({FEATURE_VALUES})


def arrived(error: BaseException) -> Any:
    """Return the exception as a txremote has it."""
    return exit_error(load(dump(told_exit(OURS, type(error), error))))


class Mine(ValueError):
    """An exception that the other end does not know."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


@given(
    st.sampled_from([ValueError, KeyError, RuntimeError, KeyboardInterrupt, SystemExit, Exception]),
    st.lists(st.none() | st.integers() | st.text(st.characters(codec="utf-8"))),
)
def test_a_builtin_one_arrives_as_it_is(kind: type[BaseException], args: list[object]) -> None:
    found = arrived(kind(*args))
    assert type(found) is kind
    assert found.args == tuple(args)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file", "a.txt"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "y"),
        ImportError("no", name="a"),
        StopIteration(),
        StopIteration(3),
        GeneratorExit(),
    ],
)
def test_what_is_known_of_it_arrives(error: BaseException) -> None:
    found = arrived(error)
    assert (type(found), str(found), found.args) == (type(error), str(error), error.args)
    for name in ("errno", "filename", "start", "name", "value"):
        assert getattr(found, name, None) == getattr(error, name, None)


def test_one_of_a_class_that_is_not_known_here_has_its_name_and_its_attributes() -> None:
    found = arrived(Mine(5))
    assert type(found).__name__.endswith("Mine")
    assert (str(found), found.code) == ("code 5", 5)


def test_no_traceback_and_no_object_goes() -> None:
    try:
        raise ValueError(object())
    except ValueError as error:
        told = repr(told_exit(OURS, type(error), error))
    assert "<object object>" in told
    assert "Traceback" not in told
    assert "0x" not in told


def test_rpyc_is_told_the_class_and_so_is_who_would_get_too_much() -> None:
    class Broken(Exception):
        @property
        def args(self) -> Any:  # type: ignore[override]
            raise SystemExit

    assert told_exit(frozenset(), ValueError, ValueError("x")) is ValueError
    long = ValueError("x" * LONGEST)
    assert told_exit(OURS, ValueError, long) is ValueError
    assert told_exit(OURS, None, None) is None
    assert type(arrived(Broken())).__name__.endswith("Broken")


PLAIN = st.none() | st.integers(2) | st.text() | st.binary()


@given(st.recursive(PLAIN, lambda some: st.tuples(some, some, some, some)))
def test_what_is_none_is_refused(value: object) -> None:
    """It makes no exception of another kind, whatever a peer says."""
    with pytest.raises(TypeError, match="a context is left with None or with an exception"):
        exit_error(value)
