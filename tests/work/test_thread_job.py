"""
A job in a thread: its result, whatever it is, and the context that it runs in.
"""

from __future__ import annotations

import decimal
from contextvars import ContextVar, copy_context
from types import MappingProxyType
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python import context

from tests.work.doubles import outcome
from tests.work.test_threads import fail, started


class TestOutcomes:
    def test_a_result_comes_back(self) -> None:
        """The Deferred has what the callable returns."""
        reactor, pool = started()
        found = outcome(pool.submit(divmod, (7, 2)))
        assert found == []
        reactor.settle()
        assert found == [(3, 1)]
        assert pool.statistics().done == 1

    def test_a_job_finds_its_caller_s_variables_and_leaves_none(self) -> None:
        """As with asyncio.to_thread; and decimals are copied, too."""
        name: ContextVar[str] = ContextVar("name", default="nobody")

        def job() -> tuple[str, int]:
            found = name.get(), decimal.getcontext().prec
            name.set("a job")
            decimal.getcontext().prec += 1
            return found

        def caller() -> list[Any]:
            name.set("ann")
            decimal.setcontext(decimal.Context(prec=5))
            found = [outcome(pool.submit(job)) for _ in range(3)]
            reactor.settle()
            return [*found, (name.get(), decimal.getcontext().prec)]

        reactor, pool = started(1)
        found = copy_context().run(caller)
        assert found == [*[[("ann", 5)]] * 3, ("ann", 5)]
        nobody = outcome(pool.submit(job))
        reactor.settle()
        assert nobody == [("nobody", 28)]

    @pytest.mark.parametrize("value", [None, [], (), "", {}, 0, MappingProxyType({})])
    def test_an_empty_result_is_what_it_was(self, value: Any) -> None:
        """None, [] and () come back as they are."""
        reactor, pool = started()
        found = outcome(pool.submit(lambda: value))
        reactor.settle()
        assert found == [value]
        assert type(found[0]) is type(value)

    def test_named_arguments(self) -> None:
        """They reach the callable."""
        reactor, pool = started()
        found = outcome(pool.submit(sorted, ([1, 3, 2],), {"reverse": True}))
        reactor.settle()
        assert found == [[3, 2, 1]]

    def test_an_exception_comes_back(self) -> None:
        """As it was raised, with the traceback of the thread."""
        reactor, pool = started()
        failures: list[Any] = []
        pool.submit(fail, ("no such line",)).addErrback(failures.append)
        reactor.settle()
        assert failures[0].check(LookupError)
        assert "raise LookupError(sentence)" in failures[0].getTraceback()
        assert pool.statistics().failed == 1

    def test_an_exit_ends_the_job_alone(self) -> None:
        """sys.exit() in a job is its failure, and the pool goes on."""
        reactor, pool = started(size=1)
        left = outcome(pool.submit(exit))
        found = outcome(pool.submit(len, ([],)))
        reactor.settle()
        assert type(left[0]) is SystemExit
        assert found == [0]

    def test_a_promise_is_no_result(self) -> None:
        """A coroutine or a Deferred fails the job: nobody would be waiting for it."""

        async def later() -> None:
            pass

        reactor, pool = started()
        for promising in (later, Deferred):
            found = outcome(pool.submit(promising))
            reactor.settle()
            assert "has to give its result itself" in str(found[0])

    def test_a_result_that_nobody_may_look_at(self) -> None:
        """A result with a __class__ that raises ends the job, with that error."""

        class Sly:
            @property
            def __class__(self) -> Any:
                raise LookupError("go away")

        reactor, pool = started()
        found = outcome(pool.submit(Sly))
        reactor.settle()
        assert type(found[0]) is LookupError

    def test_the_context_is_the_submitter_s(self) -> None:
        """A job sees the twisted.python.context it was submitted in, as with deferToThread."""
        reactor, pool = started(size=1)
        found = [
            outcome(context.call({"who": "ann"}, pool.submit, context.get, ("who",))),
            outcome(pool.submit(context.get, ("who",))),
        ]
        reactor.settle()
        assert found == [["ann"], [None]]
