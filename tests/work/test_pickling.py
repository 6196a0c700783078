"""
Jobs and outcomes as bytes: what can travel, how, and what is said of what cannot.
"""

from __future__ import annotations

import copyreg
import functools
import io
import os
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given, strategies as st
from twisted.python.failure import Failure

from tests.processes import run
from tests.work import jobs
from tests.work.child_processes import PYTHON, outcome_of, running_pool
from txremote import live
from txremote.errors import GenericException, NotPicklable
from txremote.wire.exceptions import RemoteTraceback
from txremote.work.pickling import (
    JobFailure,
    dump_error,
    dump_job,
    dump_result,
    load_error,
    load_job,
    load_result,
)


def travelled(value: Any) -> Any:
    """Send a value there and back."""
    function, args, kwargs = load_job(*dump_job(jobs.same, (value,), {}, "same"), "same")
    return load_result(*dump_result(function(*args, **kwargs), "same"), "same")


def failed(error: BaseException) -> Any:
    """Raise an exception there, and return the Failure here."""
    try:
        raise error
    except BaseException as raised:
        return load_error(*dump_error(raised))


class TestValues:
    @given(
        st.recursive(
            st.none() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
            max_leaves=20,
        )
    )
    def test_a_value_comes_back_as_it_was(self, value: Any) -> None:
        """Lists as lists and not as references, "__main__" as a text like any other."""
        assert travelled(value) == value
        assert type(travelled(value)) is type(value)

    @pytest.mark.parametrize("value", ["__main__", {"name": "__main__"}, "\udcff", None, [], ()])
    def test_values_that_need_care(self, value: Any) -> None:
        """Values that look like names in the program, are empty, or are no characters."""
        assert travelled(value) == value

    def test_functions_by_name(self) -> None:
        """An importable function or class is not copied."""
        payload, references = dump_job(jobs.add, (1, 2), {}, "add")
        assert len(payload) < 100
        assert references == []
        assert travelled(jobs.Counter) is jobs.Counter

    def test_functions_by_value(self) -> None:
        """Lambdas, closures, and partials of them."""
        factor = 3
        assert travelled(lambda value: value * factor)(14) == 42
        assert travelled(functools.partial(lambda a, b: a - b, 50))(8) == 42

        class Local:
            value = factor

        assert travelled(Local).value == 3
        assert travelled(Local()).value == 3

    def test_what_is_live_goes_beside(self) -> None:
        """It is no part of the bytes."""
        player = object()
        payload, references = dump_job(jobs.same, ([live(player)],), {"other": live(player)}, "j")
        assert references == [player, player]
        _function, args, kwargs = load_job(payload, ["first", "second"], "j")
        assert (args, kwargs) == ((["first"],), {"other": "second"})

    def test_one_needs_no_cloudpickle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The plain pickler does all beside it; a reference that is there twice goes once."""
        monkeypatch.delattr("txremote.work.pickling._thorough")
        player = live(object())
        payload, references = dump_job(jobs.same, ([player, jobs.add, player],), {}, "j")
        assert references == [player.target]
        _function, ([first, add, second],), _kwargs = load_job(payload, ["there"], "j")
        assert (first, add, second) == ("there", jobs.add, "there")


class TestWhatCannotTravel:
    def test_a_function(self) -> None:
        """The error names it, and the job."""
        with pytest.raises(
            NotPicklable, match=r"^the function, .*; a function that can be"
        ) as told:
            dump_job(threading.Lock().acquire, (), {}, "acquire")
        assert " of the job acquire " in str(told.value)

    def test_what_a_function_takes_along(self) -> None:
        """The error says which of its variables it is, and what helps."""
        lock = threading.Lock()
        with pytest.raises(NotPicklable, match=r"the variable 'lock' of .*; live\(lock\) sends"):
            dump_job(lambda: lock, (), {}, "closure")

    def test_arguments(self) -> None:
        """The error says which one it is, what it is, and what can be done."""
        with pytest.raises(NotPicklable) as raised:
            dump_job(jobs.add, (1, threading.Lock()), {}, "add")
        assert "argument 2, a lock, of the job add cannot be sent to a process" in str(raised.value)
        assert "live(it) sends a reference" in str(raised.value)
        with pytest.raises(NotPicklable, match="argument 'b', a lock, of the job add"):
            dump_job(jobs.add, (1,), {"b": threading.Lock()}, "add")
        with pytest.raises(
            NotPicklable, match=r"argument 1, a list \(at \[0\]\[\d\]: a .*\), of the job same"
        ):
            dump_job(jobs.same, ([[io.StringIO(), threading.Lock()]],), {}, "same")

    def test_a_result(self) -> None:
        """The error says what it is."""
        with pytest.raises(NotPicklable, match="the result of the job lock, a lock, cannot be"):
            dump_result(jobs.lock(), "lock")

    def test_what_cannot_be_made_again(self) -> None:
        """A job, or a result, whose pickle only fails at the other end."""
        payload, references = dump_job(jobs.same, (jobs.Unmade(),), {}, "same")
        with pytest.raises(NotPicklable, match=r"job same cannot be made .* LookupError: not to"):
            load_job(payload, references, "same")
        payload, references = dump_result(jobs.Unmade(), "unmade")
        with pytest.raises(NotPicklable, match="result of the job unmade cannot be made here"):
            load_result(payload, references, "unmade")

    def test_too_deep(self) -> None:
        """A value nested a mile deep is an error and no crash."""
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(NotPicklable, match="argument 1, a list, of the job same"):
            dump_job(jobs.same, (deep,), {}, "same")
        while deep:
            deep = deep[0]

    def test_what_fails_in_its_own_words(self) -> None:
        """Pickling runs any code, and its exception may not even be printable."""

        class Evil:
            def __reduce__(self) -> Any:
                raise jobs.Unprintable

        with pytest.raises(NotPicklable, match=r"argument 1, a Evil, .*: Unprintable"):
            dump_job(jobs.same, (Evil(),), {}, "same")


class TestExceptions:
    @pytest.mark.parametrize(
        "error",
        [
            LookupError("lost", 1),
            OSError(2, "No such file", "name"),
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
            ExceptionGroup("several", [ValueError(1), KeyError("k")]),
            StopIteration(5),
            ValueError("a file named \udcff"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_an_exception_is_what_it_was(self, error: Exception) -> None:
        """Its class, its arguments, what it says."""
        failure = failed(error)
        assert isinstance(failure, Failure)
        assert type(failure.value) is type(error)
        assert str(failure.value) == str(error)
        assert repr(failure.value.args) == repr(error.args)

    def test_it_is_what_it_was_beside_dask(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Which changes the way of exceptions for a whole process."""
        monkeypatch.setattr(copyreg, "dispatch_table", copyreg.dispatch_table.copy())
        copyreg.pickle(UnicodeDecodeError, lambda error: (UnicodeError, ("spoiled",)))  # type: ignore[arg-type,return-value]
        found = failed(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")).value
        assert type(found) is UnicodeDecodeError
        assert found.object == b"\xff"

    def test_its_traceback(self) -> None:
        """Where it was raised is its cause, and what is printed of it and logged."""
        failure = failed(LookupError("lost"))
        assert isinstance(failure, JobFailure)
        cause = failure.value.__cause__
        assert isinstance(cause, RemoteTraceback)
        assert "raise error" in cause.text
        assert "raise error" in str(cause)
        assert failure.getTraceback() == cause.text
        assert "LookupError" in failure.getBriefTraceback()
        assert failure.getErrorMessage() == "lost"

    def test_its_cause(self) -> None:
        """Is in the traceback."""
        error = LookupError("lost")
        error.__cause__ = ValueError("the reason")
        assert "ValueError: the reason" in failed(error).getTraceback()

    def test_attributes(self) -> None:
        """They come along, and so do notes."""
        error = LookupError("lost")
        error.where = ["here"]  # type: ignore[attr-defined]
        error.add_note("look again")
        found = failed(error).value
        assert found.where == ["here"]
        assert found.__notes__ == ["look again"]

    @pytest.mark.parametrize(
        ("error", "message"),
        [(jobs.NeedsTwo("no", 2), "no"), (jobs.HasLock("locked"), "locked")],
        ids=["that cannot be unpickled", "that cannot be pickled"],
    )
    def test_an_exception(self, error: Exception, message: str) -> None:
        """It is one of its class all the same, and says what it said."""
        found = failed(error).value
        assert isinstance(found, type(error))
        assert str(found) == message
        assert isinstance(found.__cause__, RemoteTraceback)

    def test_an_exception_of_a_class_that_nobody_knows(self) -> None:
        """It is named, and says what it said."""
        with pytest.raises(Exception, match="who are you") as raised:
            jobs.throw_stranger()
        found = failed(raised.value).value
        assert isinstance(found, GenericException)
        assert type(found).__name__ == "nowhere.at.all.Stranger"
        assert str(found) == "who are you?"

    def test_an_exception_that_cannot_be_looked_at(self) -> None:
        """It is an exception all the same."""
        failure = failed(jobs.Unprintable())
        assert isinstance(failure.value, jobs.Unprintable)
        assert failure.getTraceback()

    def test_one_that_allows_no_cause(self) -> None:
        """It is told without the traceback."""

        class Frozen(Exception):
            def __setattr__(self, name: str, value: Any) -> None:
                raise AttributeError(name)

        assert isinstance(failed(Frozen("stiff")).value, Frozen)


def exits(*_args: Any) -> Any:
    raise SystemExit("not a job's to end")


class Exits:
    def __reduce__(self) -> Any:
        return exits, ()


class Lying:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise KeyboardInterrupt

    def __reduce__(self) -> Any:
        return Lying, ()


class ExitingError(Exception):
    def __reduce__(self) -> Any:
        raise SystemExit("not a job's to end")


class ExitingHere(Exception):
    def __reduce__(self) -> Any:
        return exits, ()


@pytest.mark.parametrize("result", [Exits, Lying])
def test_a_result_whose_making_here_exits_is_an_error_of_its_job(result: Any) -> None:
    """Whatever the code of its class raises."""
    payload, references = dump_result(result(), "odd")
    with pytest.raises(NotPicklable, match="the result of the job odd cannot be made here"):
        load_result(payload, references, "odd")


@pytest.mark.parametrize("error", [ExitingError, ExitingHere])
def test_an_exception_whose_pickling_exits_is_told_in_words(error: Any) -> None:
    failure = failed(error("too late"))
    assert type(failure.value).__name__ == error.__name__
    assert failure.value.args == ("too late",)


@pytest_twisted.ensureDeferred
async def test_odd_results_of_a_real_process_end_their_job_and_nothing_else() -> None:
    async with running_pool() as team:
        for function in (give_exits, give_lying):
            with pytest.raises((NotPicklable, RuntimeError)):
                await team.submit(function, (), {})
        with pytest.raises(Exception, match="too late") as caught:
            await team.submit(raise_exiting, (), {})
        assert type(caught.value).__name__ == "ExitingError"
        assert await team.submit(jobs.same, (5,), {}) == 5
        assert team.statistics().killed == 0


def give_exits() -> Any:
    return Exits()


def give_lying() -> Any:
    return Lying()


def raise_exiting() -> None:
    raise ExitingError("too late")


@pytest_twisted.ensureDeferred
async def test_failures_of_a_real_process() -> None:
    """Each is named, and the process takes the next job."""
    async with running_pool() as pool:
        child = await pool.submit(jobs.pid)
        for function, kind, said in [
            (jobs.throw_needs_two, jobs.NeedsTwo, "no"),
            (jobs.throw_has_lock, jobs.HasLock, "locked"),
            (jobs.throw_unprintable, jobs.Unprintable, None),
            (jobs.throw_stranger, GenericException, "who are you?"),
            (jobs.lock, NotPicklable, "the result of the job lock, a lock, cannot be sent back"),
            (jobs.unmade, NotPicklable, "the result of the job unmade cannot be made here"),
            (jobs.recurse, RecursionError, "recursion"),
            (jobs.eat_memory, MemoryError, ""),
            (jobs.interrupt, RuntimeError, "the job interrupt raised KeyboardInterrupt()"),
            (functools.partial(jobs.leave, 3), RuntimeError, "job leave raised SystemExit(3)"),
            (jobs.throw_unprintable_exit, RuntimeError, "raised <unprintable UnprintableExit>"),
        ]:
            found = await outcome_of(pool.submit(function))
            assert isinstance(found, kind), found
            assert said is None or said in str(found)
        found = await outcome_of(pool.submit(jobs.same, (jobs.Unmade(),)))
        assert isinstance(found, NotPicklable)
        assert "the job same cannot be made in its process: LookupError: not to be" in str(found)
        found = await outcome_of(pool.submit(jobs.throw, (ValueError("a file named \udcff"),)))
        assert type(found) is ValueError
        assert found.args == ("a file named \udcff",)
        assert await pool.submit(jobs.pid) == child
        assert await pool.submit(lambda: jobs.add(40, 2)) == 42
        assert (await pool.submit(jobs.lambda_of, (42,)))() == 42


@pytest_twisted.ensureDeferred
async def test_a_module_that_the_child_cannot_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure names the job and the module."""
    async with running_pool() as pool:
        (tmp_path / "later.py").write_text("def work(): return 42\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        import later  # type: ignore[import-not-found]

        found = await outcome_of(pool.submit(later.work))
        assert isinstance(found, NotPicklable)
        assert "the job work cannot be made in its process" in str(found)
        assert "No module named 'later'" in str(found)
    async with running_pool() as pool:  # its processes know of the folder
        assert await outcome_of(pool.submit(later.work)) == 42


SCRIPT = """
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from txremote.work.processes import ProcessPool

class Order:
    def __init__(self, number):
        self.number = number

class Spoiled(Exception):
    pass

def double(order):
    return Order(order.number * 2)

def spoil(order):
    raise Spoiled(order.number)

def local():
    class Box:
        content = 7
    return Box()

async def main(reactor):
    pool = ProcessPool(reactor)
    await pool.start()
    try:
        await work(pool)
    finally:
        await pool.stop()

if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""

WITH_CLOUDPICKLE = """
async def work(pool):
    order = await pool.submit(double, (Order(21),))
    assert type(order) is Order, type(order)
    print(order.number)
    try:
        await pool.submit(spoil, (Order(3),))
    except Spoiled as error:
        print("spoiled", error.args)
    print((await pool.submit(lambda: [Order(n).number for n in range(3)])))
    print((await pool.submit(local)).content)
"""

WITHOUT_CLOUDPICKLE = """
import sys
from operator import add

async def work(pool):
    assert await pool.submit(add, ("__main__", "!")) == "__main__!"
    for function, args in ((double, (Order(21),)), (lambda: 1, ())):
        try:
            await pool.submit(function, args)
        except TypeError as error:
            print(type(error).__name__, error)
"""


def ran(folder: Path, text: str, **environment: str) -> str:
    """Run a script, and return what it prints."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    status, output, errors = run(PYTHON, script, env={**os.environ, **environment})
    assert (status, errors) == (0, "")
    return output


def test_what_is_in_the_main_script(tmp_path: Path) -> None:
    """Its functions and classes work: in jobs, arguments, results and exceptions."""
    output = ran(tmp_path, SCRIPT.replace("async def main", f"{WITH_CLOUDPICKLE}\nasync def main"))
    assert output.splitlines() == ["42", "spoiled (3,)", "[0, 1, 2]", "7"]


def test_without_cloudpickle(tmp_path: Path) -> None:
    """Importable functions work; for others the error names the extra to install."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "cloudpickle.py").write_text("raise ImportError('blocked')\n")
    path = os.pathsep.join([str(blocked), *filter(None, [os.environ.get("PYTHONPATH")])])
    text = SCRIPT.replace("async def main", f"{WITHOUT_CLOUDPICKLE}\nasync def main")
    output = ran(tmp_path, text, PYTHONPATH=path).splitlines()
    assert len(output) == 2
    for line in output:
        assert line.startswith("NotPicklable")
        assert "(pip install 'txremote[pool]' for lambdas, closures" in line
    assert "the job double cannot be made in its process" in output[0]
    assert "the function, a function, of the job work.<locals>.<lambda> cannot" in output[1]
