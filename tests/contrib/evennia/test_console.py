"""The commands of a game's line console: what does not need a game. See test_plugin, too."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txremote import TaskManager
from txremote.contrib.evennia.console import GameConsole
from txremote.contrib.evennia.joblist import JobList


def test_jobs_are_listed_and_killed_on_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their numbers; one that has ended is left as it is."""
    jobs = JobList()
    monkeypatch.setattr("txremote.contrib.evennia.jobrows.jobs", jobs)
    job = jobs.begin("count", None, "threads:8", Deferred(lambda _job: None))
    job.outcome.addErrback(lambda failure: jobs.end(job, failure))
    clock = Clock()
    manager = TaskManager(reactor=clock)
    lines = [manager.submit(GameConsole, line) for line in ("jobs", "kill 1", "kill 1", "kill 9")]
    clock.pump([0.1] * 10)
    said = [task.output.lines() for task in lines]
    assert said[0] == ["1 count: waiting"]
    assert said[1] == ["1 count is ended"]
    assert said[2][0].startswith("it has ended: 1 count: killed after")
    assert said[3] == ["there is no job 9"]
