"""
What is said of a job that cannot be pickled: the part, the way to it, and what may be done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from txremote import NotPicklable, live
from txremote.work.pickling import dump_job, dump_result, load_job
from txremote.work.unpicklable import MOST

LOCK = threading.Lock()


class Session:
    """Holds something that cannot be sent."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Cmd:
    """A command of a game."""

    def __init__(self) -> None:
        self.sessions = [1, Session()]

    def func(self) -> None:
        """Do nothing."""


class Lock:
    """Refuses to be pickled, in its own words."""

    def __reduce__(self) -> Any:
        raise TypeError("it is bolted to the wall")


class Odd:
    """Pickles something that it makes for that."""

    def __getstate__(self) -> object:
        return {"made": threading.Lock()}


def told(function: Any, *args: object, **kwargs: object) -> str:
    """Return what is said of a job that cannot be pickled."""
    with pytest.raises(NotPicklable) as caught:
        dump_job(function, args, kwargs, "work")
    return str(caught.value)


def closure() -> Callable[[], object]:
    """Return a function with a variable that cannot be sent."""
    conn, other = {"main": Session()}, 5

    def shout() -> object:
        return conn, other

    return shout


def nested() -> Callable[[], object]:
    """Return a function with a function with such a variable."""
    inner = closure()
    return lambda: inner()


def with_default() -> Callable[..., object]:
    """Return a function with such a default."""
    return lambda a, lock=LOCK: (a, lock)


def of_source(**names: object) -> Any:
    """Return a function of ``__main__``, with these globals."""
    names["__name__"] = "__main__"
    exec("def job(): return table", names)
    return names["job"]


JOBS: dict[str, tuple[Callable[[], tuple[Any, ...]], str]] = {
    "a closure": (
        lambda: (closure(),),
        "the variable 'conn' of the closure shout, a dict (at ['main'].lock: a lock), of the job "
        "work cannot be sent to a process: TypeError: cannot pickle '_thread.lock' object; "
        "live(conn) sends a reference",
    ),
    "a closure in a lambda": (lambda: (nested(),), "the variable 'conn' of the closure shout, "),
    "a lambda's default": (
        lambda: (with_default(),),
        "the default of 'lock' of <lambda>, a lock, of the job work",
    ),
    "a global": (
        lambda: (of_source(table=[LOCK]),),
        "the global 'table' of job, a list (at [0]: a lock), of the job work",
    ),
    "a method": (
        lambda: (Cmd().func,),
        "self of Cmd.func, a Cmd (at .sessions[1].lock: a lock), of the job work cannot be sent "
        "to a process: TypeError: cannot pickle '_thread.lock' object; a job can be a plain "
        "function that gets what it needs as arguments, live(self) among them",
    ),
    "a partial": (
        lambda: (partial(print, 1, end=LOCK),),
        "argument 'end' of the partial of print, a lock, of the job work",
    ),
    "a partial of a method": (
        lambda: (partial(Cmd().func, 1),),
        "self of Cmd.func, a Cmd (at .sessions[1].lock: a lock), ",
    ),
    "a method as an argument": (lambda: (print, [Cmd().func]), "self of Cmd.func, a Cmd (at "),
    "an item": (
        lambda: (print, 1, {"a": (2, [LOCK])}),
        "argument 2, a dict (at ['a'][1][0]: a lock), of the job work",
    ),
    "an item of a set": (lambda: (print, {Lock()}), "argument 1, a set (at , an item: a Lock), "),
    "an object that refuses": (
        lambda: (print, [Lock()]),
        "argument 1, a list (at [0]: a Lock), of the job work cannot be sent to a process: "
        "TypeError: it is bolted to the wall; live(it) sends a reference",
    ),
    "what an object makes": (lambda: (print, 1, Odd()), "argument 2, a Odd, of the job work"),
}


@pytest.mark.parametrize("name", JOBS)
def test_the_part_is_named(name: str) -> None:
    """With the way to it, by names that its reader has written, and with what may be done."""
    make, sentence = JOBS[name]
    assert told(*make()).startswith(sentence)


def test_the_way_is_looked_for_in_bounded_time() -> None:
    """Of what is too large, or too deep, the whole is named."""
    wide = [[], *[[number] for number in range(MOST)], [[LOCK]]]
    assert told(print, wide).startswith("argument 1, a list, of the job work")
    deep: list[Any] = [LOCK]
    for _ in range(80):
        deep = [deep]
    assert told(print, deep).startswith("argument 1, a list, of the job work")


def test_no_code_is_called_that_pickling_does_not_call() -> None:
    """Attributes are not asked for: they may be anything."""
    asked: list[str] = []

    class Asked:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def __getattr__(self, name: str) -> object:
            asked.append(name)
            raise AttributeError(name)

        def __repr__(self) -> str:
            asked.append("repr")
            return ""

        def __eq__(self, other: object) -> bool:
            asked.append("eq")
            return False

        __hash__ = object.__hash__

    assert told(print, Asked()).startswith("argument 1, a ")
    known, asked[:] = set(asked), []
    with pytest.raises(NotPicklable):
        dump_result(Asked(), "work")
    assert set(asked) <= known
    assert not {"repr", "eq"} & known
    assert all(name.startswith("__") for name in known)


def test_a_result_is_named_by_its_part_too() -> None:
    """As an argument is."""
    with pytest.raises(NotPicklable) as caught:
        dump_result({"a": LOCK}, "work")
    assert str(caught.value).startswith(
        "the result of the job work, a dict (at ['a']: a lock), cannot be sent back: "
    )


def test_live_in_a_closure_or_a_default_goes_by_reference() -> None:
    """As in an argument: the job gets what stands for it, once for each that it was given."""
    tell, again = live(LOCK), live(LOCK)
    payload, references = dump_job(lambda more=tell: (tell, more, again), (), {}, "work")
    assert references == [LOCK, LOCK]
    function, args, kwargs = load_job(payload, ["one", "two"], "work")
    first, default, other = function(*args, **kwargs)
    assert first == default
    assert {first, other} == {"one", "two"}


def test_live_in_a_closure_stands_in_for_its_object_in_a_thread() -> None:
    """It is called as that is, and has its attributes; what Python asks of it is its own."""
    seen: list[int] = []
    tell, of = live(seen.append), live(seen)
    tell(5)
    of.append(6)
    assert seen == [5, 6]
    with pytest.raises(AttributeError):
        of.__deepcopy__
