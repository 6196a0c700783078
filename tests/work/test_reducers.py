"""Objects that travel with a job in a form of their own."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from txremote.errors import NotPicklable
from txremote.work.live import live
from txremote.work.pickling import (
    dump_error,
    dump_job,
    dump_result,
    load_error,
    load_job,
    load_result as load,
)
from txremote.work.reducers import are_registered, register_reducer, unregister_reducer

HERE: dict[int, Row] = {}


class Row:
    """A row of a table, which each process has once."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a row by value")

    def double(self) -> int:
        """Return twice the number, as a bound method does."""
        return 2 * self.number


def row(number: int) -> Row:
    """Return this process's own."""
    return HERE.setdefault(number, Row(number))


def reduce_rows(found: object) -> object:
    """Send the number in place of the row."""
    if type(found) is not Row:
        return NotImplemented
    if found.number < 0:
        raise ValueError("a row that was deleted")
    return row, (found.number,)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Have rows travel by their numbers."""
    register_reducer(reduce_rows)
    register_reducer(reduce_rows)
    yield
    unregister_reducer(reduce_rows)
    assert not are_registered()
    HERE.clear()


def travelled(value: object) -> Any:
    """Return an argument as its job gets it."""
    payload, references = dump_job(print, (value,), {}, "job")
    return load_job(payload, references, "job")[1][0]


@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        (lambda it: it, lambda it: it),
        (lambda it: [{"rows": (it,)}], lambda it: it[0]["rows"][0]),
        (lambda it: lambda: it, lambda it: it()),
        (lambda it: it.double, lambda it: it.__self__),
        (lambda it: (live(print), it), lambda it: it[1]),
    ],
    ids=["plain", "in containers", "in a closure", "self of a method", "beside a reference"],
)
def test_an_object_arrives_as_the_receivers_own(
    wrap: Callable[[Row], object], unwrap: Callable[[Any], object]
) -> None:
    """In whatever it stands: with the plain pickler and with cloudpickle."""
    assert unwrap(travelled(wrap(Row(7)))) is row(7)


def test_results_and_errors_take_them_along() -> None:
    """On their way back."""
    assert load(*dump_result([Row(1)], "job"), "job")[0] is row(1)
    failure = load_error(*dump_error(LookupError(Row(2))))
    assert failure.type is LookupError
    assert failure.value.args[0] is row(2)


def test_a_refusal_is_told_with_its_reason() -> None:
    """Once, as that of a part that cannot be pickled."""
    with pytest.raises(NotPicklable, match=r"a row that was deleted"):
        dump_job(print, (Row(-1),), {}, "job")
    with pytest.raises(NotPicklable, match=r"a row that was deleted"):
        dump_result(Row(-1), "job")


def test_nothing_is_asked_while_none_is_registered() -> None:
    """The bytes are those of `pickle.dumps`."""
    unregister_reducer(reduce_rows)
    job = (print, ({"a": 1},), {})
    assert dump_job(*job, "job")[0] == pickle.dumps(job, 5)
    with pytest.raises(NotPicklable, match="a row by value"):
        travelled(Row(7))
    register_reducer(reduce_rows)
    assert travelled(Row(7)) is row(7)
