"""
Evennia's page "Asynchronous code": every example gives what the page says.

What differs from the page is the import, ``print`` as a function, and how long it
sleeps. Where the page's own example cannot work (its callbacks given by position),
that is said, and the example is run as it was meant.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from tests.work.doubles import logged, no_running_pools
from txremote import run_async
from txremote.errors import JobTimeout
from txremote.work import pool_from_string

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools")


class Printed(list[str]):
    """What was printed, line by line."""

    def print(self, *values: Any) -> None:
        self.append(" ".join(map(str, values)))


@pytest.fixture
def printed() -> Printed:
    return Printed()


def long_running_function() -> str:
    return "the final value"


def failing_function() -> None:
    raise ValueError("no value today")


class Character:
    """Somebody in the game: what is told to it is kept."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.told: Deferred[None] = Deferred()

    def msg(self, text: Any) -> None:
        self.heard.append(text)
        self.told.callback(None)


class Command:
    """Evennia's base of commands, as far as the page needs it."""

    def __init__(self, caller: Character) -> None:
        self.caller = caller


async def process_pool() -> None:
    """PROCPOOL_ENABLED: a process pool runs."""
    await pool_from_string("processes:1").start()


class TestSynchronousVersusAsynchronous:
    @pytest_twisted.ensureDeferred
    async def test_the_program_does_not_wait(self, printed: Printed) -> None:
        """before call and after call are there right away, the function's work later."""

        def function() -> None:
            printed.print("in the function")

        printed.print("before call ...")
        deferred = run_async(function)
        printed.print("after call ...")
        assert [*printed][:1] + [*printed][-1:] in (
            ["before call ...", "after call ..."],
            ["before call ...", "in the function"],  # the thread was faster than this line
        )
        assert await deferred is None
        assert sorted(printed) == ["after call ...", "before call ...", "in the function"]


class TestCustomizing:
    @pytest_twisted.ensureDeferred
    async def test_at_return(self, printed: Printed) -> None:
        """It is called with the value."""

        def at_return(r: Any) -> None:
            printed.print(r)

        await run_async(long_running_function, at_return=at_return)
        assert printed == ["the final value"]

    @pytest_twisted.ensureDeferred
    async def test_at_return_of_a_function_that_returns_nothing(self, printed: Printed) -> None:
        """It is called with None."""
        await run_async(lambda: None, at_return=printed.print)
        assert printed == ["None"]

    @pytest_twisted.ensureDeferred
    async def test_at_return_kwargs(self, printed: Printed) -> None:
        """They are named arguments of at_return."""

        def at_return(r: Any, mood: str) -> None:
            printed.print(r, mood)

        await run_async(
            long_running_function, at_return=at_return, at_return_kwargs={"mood": "gladly"}
        )
        assert printed == ["the final value gladly"]

    @pytest_twisted.ensureDeferred
    async def test_at_err(self, printed: Printed) -> None:
        """It is called with the exception wrapped in a Failure."""

        def at_err(e: Any) -> None:
            assert isinstance(e, Failure)
            printed.print("There was an error:", str(e))

        await run_async(failing_function, at_err=at_err)
        assert printed[0].startswith("There was an error: [Failure instance: Traceback: ")
        assert "ValueError" in printed[0]
        assert "no value today" in printed[0]

    @pytest_twisted.ensureDeferred
    async def test_at_err_kwargs(self, printed: Printed) -> None:
        """They are named arguments of at_err."""

        def at_err(e: Any, mood: str) -> None:
            printed.print(e.getErrorMessage(), mood)

        await run_async(failing_function, at_err=at_err, at_err_kwargs={"mood": "sadly"})
        assert printed == ["no value today sadly"]

    @pytest_twisted.ensureDeferred
    async def test_without_at_err_the_error_is_in_the_log(self) -> None:
        """By itself, with the function's name."""
        with logged() as lines:
            run_async(failing_function)
            while not lines:
                await run_async(long_running_function)
        assert lines == ["failing_function failed, and nobody handles it no value today"]


class TestTheCommand:
    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("where", ["threads", "processes"])
    @pytest.mark.parametrize("fails", [False, True])
    async def test_with_its_callbacks_by_name(self, where: str, fails: bool) -> None:
        """The caller is told the final value, or of the error; in a process, too."""

        class CmdAsync(Command):
            key = "asynccommand"

            def func(self) -> None:
                def long_running_function() -> int:
                    final_value = sum(range(1000))
                    if fails:
                        raise ValueError("it was too long")
                    return final_value

                def at_return(r: Any) -> None:
                    self.caller.msg("The final value is %s" % r)  # noqa: UP031

                def at_err(e: Any) -> None:
                    self.caller.msg("There was an error: %s" % e)  # noqa: UP031

                # do the async call, setting all callbacks
                run_async(long_running_function, at_return=at_return, at_err=at_err)

        if where == "processes":
            await process_pool()
        caller = Character()
        CmdAsync(caller).func()
        await caller.told
        (heard,) = caller.heard
        if fails:
            assert heard.startswith("There was an error: ")
            assert "it was too long" in heard
        else:
            assert heard == "The final value is 499500"

    @pytest_twisted.ensureDeferred
    async def test_as_the_page_has_it(self) -> None:
        """By position they are the function's arguments, and the error says what was meant."""

        def at_return(r: Any) -> None:
            pytest.fail("it was never to be called")

        with pytest.raises(TypeError, match="at_return="):
            await run_async(long_running_function, at_return, at_return)


class TestProcessPool:
    @pytest_twisted.ensureDeferred
    async def test_the_source_string(self) -> None:
        """The callback hears [8, 13]."""
        source = """
    from time import sleep
    sleep(0.05) # sleep five secs
    val = testvar + 5
    _return(val)
    _return(val + 5)
    """
        myobj = Character()

        # we assume myobj is a character retrieved earlier
        # these callbacks will just print results/errors
        def callback(ret: Any) -> None:
            myobj.msg(ret)

        def errback(err: Any) -> None:
            myobj.msg(err)

        testvar = 3
        await process_pool()

        # run async
        run_async(source, at_return=callback, at_err=errback, testvar=testvar)

        # this will return '[8, 13]'
        await myobj.told
        assert myobj.heard == [[8, 13]]

    @pytest_twisted.ensureDeferred
    async def test_from_within_the_game(self) -> None:
        """_return(1+2), with a method for at_return."""
        await process_pool()
        me = Character()
        run_async("_return(1+2)", at_return=me.msg)
        await me.told
        assert me.heard == [3]

    @pytest_twisted.ensureDeferred
    async def test_an_error_in_the_source(self) -> None:
        """The errback hears of it, and of the line."""
        await process_pool()
        me = Character()
        run_async("x = 1\ny = x / 0", at_return=pytest.fail, at_err=me.msg)
        await me.told
        (failure,) = me.heard
        assert failure.check(ZeroDivisionError)
        assert "y = x / 0" in failure.getTraceback()

    @pytest_twisted.ensureDeferred
    async def test_its_reserved_arguments(self) -> None:
        """use_thread runs in this process; proc_timeout ends one that takes too long."""
        await process_pool()
        here, there = await gatherResults(
            [run_async(os.getpid, use_thread=True), run_async(os.getpid)]
        )
        assert here == os.getpid()
        assert there != here
        with pytest.raises(TimeoutError) as caught:
            await run_async("import time; time.sleep(100)", proc_timeout=0.1)
        assert isinstance(caught.value, JobTimeout)
        assert await run_async("1 + 2") == 3

    @pytest_twisted.ensureDeferred
    async def test_a_pool_by_its_name(self) -> None:
        """No setting is needed: the call may name the pool."""
        assert await run_async("_return(1+2)", pool="processes:1") == 3
