"""The jobs of `run_async` and the tasks of the console as one list: without Evennia."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.contrib.evennia.joblist import PROGRESS, STARTED, JobList, jobs
from txremote.contrib.evennia.jobrows import WIDTH, find_row, line, rows, table
from txremote.contrib.evennia.runtime import runtime
from txremote.tasks.stepping import Progress


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobList]:
    """Give an empty list of jobs."""
    fresh = JobList()
    monkeypatch.setattr("txremote.contrib.evennia.jobrows.jobs", fresh)
    yield fresh
    assert not jobs.unended()


def begun(listed: JobList, who: object = None) -> Any:
    """Begin a job that is ended by hand."""
    return listed.begin("count", who, "threads:8", Deferred(lambda _job: None))


def test_a_job_is_shown_with_its_owner_and_its_progress(listed: JobList) -> None:
    """In per cent, where it says of how much."""
    job = begun(listed, SimpleNamespace(key="ann"))
    assert str(find_row("1")) == "1 count: waiting"
    job.told(STARTED)
    job.told(PROGRESS, 3, 12, "rooms")
    [row] = rows()
    assert (row.who, row.where, row.progress, row.ended) == ("ann", "threads:8", "25% rooms", False)
    job.told(PROGRESS, 3, None, "rooms")
    assert str(find_row(" 1 ")) == "1 count: running, 3 rooms"


def test_what_has_ended_stands_last_with_its_error(listed: JobList) -> None:
    """A builder sees what went wrong."""
    first = begun(listed)
    begun(listed)
    first.outcome.addErrback(lambda failure: listed.end(first, failure))
    first.kill()
    assert [row.id for row in rows()] == ["2", "1"]
    assert str(find_row("1")).startswith("1 count: killed after 0.0 s, CancelledError")
    assert find_row("3") is None


def test_tasks_of_the_console_have_a_letter(
    listed: JobList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no number means two things."""
    killed: list[int] = []
    task = SimpleNamespace(
        no=1,
        arglist=["import", "f1"],
        status="RUNNING",
        duration=2.0,
        progress=Progress(1, 4),
        exc=None,
        kill=lambda: killed.append(1),
    )
    console = SimpleNamespace(manager=SimpleNamespace(tasks=lambda: [task]))
    monkeypatch.setattr(runtime, "console", console)
    begun(listed)
    row = find_row("C1")
    assert row is not None
    assert str(row) == "c1 import f1: RUNNING, 1/4"
    row.kill()
    assert killed == [1]
    assert len(rows()) == 2


def test_a_line_fits_on_a_screen(listed: JobList) -> None:
    """Whatever a job is called, whoever wants it and however it fails; one row has all of it."""
    job = begun(listed, SimpleNamespace(key="ann " * 40))
    job.name, job.where = "count\nall " * 40, "processes:2" * 40
    listed.end(job, Failure(ValueError("no " * 400)))
    begun(listed)
    [last, first] = rows()
    lines = table([last, first])
    assert max(map(len, lines)) == WIDTH
    assert [text.split()[0] for text in lines] == ["id", "2", "1"]
    assert lines[2].endswith("...") and "ValueError" in lines[2] and "\n" not in lines[2]
    assert len(line(first)) == WIDTH and "\n" not in line(first)
    assert str(first).endswith("no no") and len(str(first)) > 300
