"""
Worker processes without processes: what a test of the pool's decisions turns by hand.

The worker is the real one, tickets, clocks and all. Only the process is pretended:
it takes tickets, begins jobs, puts its answers into a pipe that the parent reads
later, and dies, each when it is told to.
"""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

from twisted.internet.task import Clock

from txremote.work import childprocess, processes
from txremote.work.childprocess import ChildProcess
from txremote.work.plainphase import DONE
from txremote.work.prefetched import Job
from txremote.work.processes import ProcessPool
from txremote.work.running import running_pools
from txremote.work.tickets import take_ticket
from txremote.work.worker import Worker


class FakeReactor(Clock):
    """A clock that takes the triggers of a pool."""

    def addSystemEventTrigger(self, *_args: Any) -> None:
        return None


class FakeProcess(ChildProcess):
    """A process that hears no signals."""

    def _signal(self, number: int) -> None:
        pass


class FakeWorker(Worker):
    """A worker whose process is turned by hand."""

    made: list[FakeWorker]
    begun: Counter[str]

    def _start(self) -> None:
        self._process = FakeProcess(self._reactor, self._printed, self._exited)
        self._process.pid = len(self.made) + 1
        self.sent: dict[int, Job] = {}
        self.sendings = 0
        self.runs_now: tuple[int, Job] | None = None
        self.said: list[tuple[int, Job | None]] = []  # None: the job is loaded
        self.alive = True
        self._pipes: Any = self
        self._sender: Any = self
        self.made.append(self)

    def send(self, job: Job) -> None:
        assert self.ready
        self.sent[job.number] = job
        self.sendings += 1

    def retire(self) -> None:
        assert not self.held.jobs
        self.ending = True

    # -- what the process does

    def come_up(self) -> None:
        if self.alive and not self.came_up and not self.ending:
            self.ready = self.came_up = True
            self._events.worker_ready(self)

    def begin(self) -> None:
        """Begin the next job, if there is a ticket and none runs."""
        if self.alive and self.runs_now is None and self.came_up:
            number = take_ticket(self.held.tickets.reading_end)
            if number is not None:
                job = self.sent.pop(number)
                for other in [other for other in self.sent if other < number]:
                    del self.sent[other]
                self.runs_now = number, job
                self.begun[job.name] += 1
                if job.timeout is not None:
                    self.said.append((number, None))

    def finish(self) -> None:
        """End the job that runs, and say so."""
        if self.alive and self.runs_now is not None:
            self.said.append(self.runs_now)
            self.runs_now = None

    def drain(self) -> None:
        """Have the parent read what was said."""
        while self.said:
            number, job = self.said.pop(0)
            if job is None:
                self.held.loaded(number)
                continue
            self.job_answered((DONE, pickle.dumps(job.name)), job, number)

    def die(self) -> None:
        """End, by whatever it is, and have the parent hear of it."""
        if self.alive:
            self.alive = False
            self.runs_now = None
            self._process.reaped = True
            self._exited("was killed by signal 9 (SIGKILL)")

    def obey(self) -> None:
        """End, if it was told to."""
        if self.ending:
            self.die()


def pool_of_fakes(monkeypatch: Any, *args: Any, **options: Any) -> tuple[ProcessPool, Any]:
    """Return a pool that has been started, and its class of workers."""

    class Ours(FakeWorker):
        made: list[FakeWorker] = []
        begun: Counter[str] = Counter()

    monkeypatch.setattr(processes, "Worker", Ours)
    monkeypatch.setattr(running_pools, "pools", [])  # nobody else is to find it
    monkeypatch.setattr(childprocess.os, "killpg", lambda *_args: None)
    pool = ProcessPool(FakeReactor(), *args, **options)
    pool.start().addErrback(lambda _failure: None)
    return pool, Ours
