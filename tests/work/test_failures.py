"""
A job that fails tells all that Python would: notes, causes, and in the midst of what.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.python.failure import Failure

from tests.net.servers import until
from tests.peer.pairs import logged
from tests.work import jobs
from txremote import run_async
from txremote.work.failures import JobFailure, job_failure
from txremote.work.spec import pool_from_string


def told(text: str) -> None:
    """Check that a text has all that `jobs.annotated` tells, in Python's order."""
    parts = [
        "KeyError: 'k'",
        "the inner note",
        "During handling of the above exception, another exception occurred",
        "TypeError: middle",
        "The above exception was the direct cause of the following exception",
        "ValueError: outer",
        "the outer note",
        "of two lines",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


@asynccontextmanager
async def _pool(kind: str) -> AsyncIterator[Any]:
    pool = pool_from_string(kind, reactor)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


@pytest.mark.parametrize("kind", ["threads:1", "processes:1"])
@pytest_twisted.ensureDeferred
async def test_what_at_err_sees(kind: str) -> None:
    seen: list[Failure] = []
    async with _pool(kind) as pool:
        await run_async(jobs.annotated, pool=pool, at_err=seen.append)
    (failure,) = seen
    assert failure.check(ValueError)
    assert failure.value.__notes__ == ["the outer note\nof two lines"]
    told(failure.getTraceback())
    told(failure.getTraceback(detail="verbose"))
    printed = io.StringIO()
    failure.printTraceback(printed)
    told(printed.getvalue())
    assert "outer" in failure.getBriefTraceback()
    assert failure.getErrorMessage() == "outer"


@pytest.mark.parametrize("kind", ["threads:1", "processes:1"])
@pytest_twisted.ensureDeferred
async def test_what_the_log_has_when_nobody_handles_it(kind: str) -> None:
    async with _pool(kind) as pool:
        with logged() as log:
            run_async(jobs.annotated, pool=pool)
            await until(lambda: "two lines" in log.text())
    text = log.text().replace("\n\t", "\n")
    assert "annotated failed, and nobody handles it" in text
    told(text)


def _failed(job: Any) -> JobFailure:
    try:
        job()
    except Exception as error:
        return job_failure(error)
    raise AssertionError


def test_it_tells_the_same_once_its_frames_are_forgotten() -> None:
    failure = _failed(jobs.annotated)
    before = failure.getTraceback()
    failure.cleanFailure()
    failure.cleanFailure()
    assert failure.getTraceback() == before
    told(before)


def test_what_was_formatted_elsewhere_is_printed_as_it_is() -> None:
    assert job_failure(ValueError("x"), "as it was there\n").getTraceback() == "as it was there\n"


def test_it_can_be_pickled_as_a_failure_can() -> None:
    again = pickle.loads(pickle.dumps(_failed(jobs.annotated)))
    assert again.check(ValueError)
