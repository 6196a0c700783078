"""The jobs of a game, and how far they are."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txremote.contrib.evennia import joblist, progress, tracked
from txremote.contrib.evennia.joblist import (
    DONE,
    FAILED,
    KEPT,
    KILLED,
    PROGRESS,
    RUNNING,
    STARTED,
    WAITING,
    JobKilled,
    JobList,
    Reporter,
    reporting,
)


def test_progress_outside_of_jobs_does_nothing() -> None:
    """So a function may be called as it is."""
    progress(1, 2, "half")
    assert list(tracked("abc")) == ["a", "b", "c"]


def test_progress_is_sent_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last word is always sent."""
    now = [100.0]
    monkeypatch.setattr(joblist.time, "monotonic", lambda: now[0])
    sent: list[tuple[Any, ...]] = []

    def items() -> Any:
        for each in range(1000):
            now[0] += 0.001
            yield each

    with reporting(Reporter(lambda *message: sent.append(message))):
        assert len(list(tracked(items(), 1000, "counting"))) == 1000
    assert sent[0] == (STARTED,)
    assert sent[1] == (PROGRESS, 0, 1000, "counting")
    assert sent[-1] == (PROGRESS, 1000, 1000, "counting")
    assert 10 <= len(sent) <= 13


class Wordless(Exception):
    """An error of a careless program."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_error_without_a_text_ends_its_job() -> None:
    """Else its caller would wait for ever."""
    jobs = JobList()
    job = jobs.begin("count", None, "threads", Deferred())
    jobs.end(job, Failure(Wordless()))
    assert (job.state, jobs.unended()) == (FAILED, [])
    assert job.error.startswith("Wordless: ")


@pytest.mark.parametrize("told", [("half",), (1, "all"), ([],)])
def test_progress_takes_numbers(told: Any) -> None:
    """Else the list of jobs could not be shown."""
    with reporting(Reporter(lambda *message: None)), pytest.raises((TypeError, ValueError)):
        progress(*told)


@pytest.mark.parametrize(
    ("result", "state", "error"),
    [
        ("a value", DONE, ""),
        (Failure(LookupError("nothing there")), FAILED, "LookupError: nothing there"),
        (Failure(LookupError("one\ntwo" + "x" * 999)), FAILED, f"LookupError: one two{'x' * 293}"),
        (Failure(CancelledError()), KILLED, "CancelledError"),
    ],
)
def test_a_job_is_listed_until_newer_ones_have_ended(result: Any, state: str, error: str) -> None:
    """With how it went."""
    listed = JobList()
    job = listed.begin("walk", None, "threads", Deferred())
    assert (job.state, listed.unended(), listed.find(job.number)) == (WAITING, [job], job)
    job.told(STARTED)
    job.told(PROGRESS, 1, 2, "half")
    assert (job.state, job.done, job.of, job.text) == (RUNNING, 1, 2, "half")
    listed.end(job, result)
    assert (job.state, job.error, listed.unended(), listed.ended()) == (state, error, [], [job])
    assert job.seconds is not None
    for _ in range(KEPT):
        listed.end(listed.begin("other", None, "threads", Deferred()), None)
    assert listed.find(job.number) is None


def test_a_killed_job_ends_at_its_next_word() -> None:
    """Of progress: that it has begun is no reason to end it."""
    listed = JobList()
    outcome: Deferred[object] = Deferred()
    job = listed.begin("walk", None, "threads", outcome)
    outcome.addErrback(lambda failure: listed.end(job, failure))
    assert job.kill()
    assert not job.kill()
    job.told(STARTED)
    assert job.state == KILLED
    with pytest.raises(JobKilled, match="walk, was killed"):
        job.told(PROGRESS, 1, 2, "")
