"""
`Crew`: all workers of a supervisor: which serve, which come, and which go.

Each place has a number, from 1 on, and one worker that serves there, or will. One that dies is
replaced, at once where it had served for a while, else after a wait that doubles. `Crew.roll`
replaces all, one place after the other: the new worker listens before the old one is told to end,
and the next place's turn comes when that has let its calls end. From the first new worker on the
old ones accept nobody more, so each client moves once. Where a new one does not start, the old
ones go on, and accept again.

One worker is the keeper of the consoles: the first that serves. When it is gone, the first that
serves then is the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from txremote.daemon.workers.control import WorkerEvents
from txremote.daemon.workers.process import Phase, WorkerProcess
from txremote.errors import ConnectionLost
from txremote.levels import Logger
from txremote.refs.awaiting import succeeded
from txremote.refs.clock import EventLoop, steady

_log = Logger("txremote.workers")

_CANNOT_START: Final = "worker {worker} cannot be started: {why}"
_ENDED: Final = "worker {worker} (process {process}) {how}"

#: Seconds that a worker has served for, if it is replaced at once.
PROVEN: Final = 10.0

#: Seconds until a worker is replaced that has not: the first time, and at most.
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0

#: Seconds beyond ``drain`` that a worker may take to end.
GRACE: Final = 15.0

#: Seconds that a new worker may take to listen, while the others are replaced.
START_TIMEOUT: Final = 120.0

#: Starts the process of a worker: of a number and a serial number. OSError: it cannot be.
Spawn = Callable[[WorkerProcess], None]


@dataclass
class Place:
    """One worker's place: the ``next`` one is there while it is being replaced."""

    number: int
    worker: WorkerProcess | None = None
    next: WorkerProcess | None = None
    failures: int = 0
    timer: IDelayedCall | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nobody serves there, or is about to."""
        return self.worker is None and self.next is None


class Crew:
    """
    The workers. For the reactor's thread.

    Args:
        count: How many.
        spawn: Starts a worker's process.
        events: Answers what workers ask of the supervisor.
        drain: Seconds that calls have to end in.
        has_consoles: Whether there is anything for a keeper to do.
        hopeless: Called when a worker ends before any has ever served: none will.
        ended: Called with each worker that has ended.
    """

    def __init__(
        self,
        count: int,
        spawn: Spawn,
        reactor: EventLoop,
        events: WorkerEvents,
        *,
        drain: float,
        has_consoles: bool,
        hopeless: Callable[[str], object],
        ended: Callable[[WorkerProcess], object],
    ) -> None:
        self.places = [Place(number) for number in range(1, count + 1)]
        self.keeper: WorkerProcess | None = None
        self.stopping = False
        self._spawn = spawn
        self._reactor = reactor
        self._events = events
        self._grace = drain + GRACE
        self._has_consoles = has_consoles
        self._hopeless = hopeless
        self._ended = ended
        self._alive: list[WorkerProcess] = []
        self._last_serial = 0
        self._served = False  # whether any worker ever has
        self._kept = False  # and whether one has begun with the consoles
        self._rolling: Deferred[None] | None = None
        self._again = False

    @property
    def alive(self) -> list[WorkerProcess]:
        """The workers whose processes are there, oldest first."""
        return list(self._alive)

    @property
    def serving(self) -> list[WorkerProcess]:
        """The workers that serve."""
        return [each for each in self._alive if each.phase is Phase.SERVING]

    @property
    def complete(self) -> bool:
        """Whether there is a worker that serves in each place."""
        workers = [place.worker for place in self.places]
        return all(each is not None and each.phase is Phase.SERVING for each in workers)

    def start(self) -> None:
        """Start all workers."""
        for place in self.places:
            self._fill(place)

    def _new(self, place: Place) -> WorkerProcess:
        self._last_serial += 1
        return WorkerProcess(place.number, self._last_serial, self._reactor, self, self._events)

    def _start(self, worker: WorkerProcess) -> None:
        """Start a worker that has its place already: it may end before this returns. OSError."""
        self._alive.append(worker)
        try:
            self._spawn(worker)
        except OSError:
            self._alive.remove(worker)
            raise

    def _fill(self, place: Place) -> None:
        place.timer = None
        if self.stopping or place.worker is not None:
            return
        place.worker = worker = self._new(place)
        try:
            self._start(worker)
        except OSError as problem:
            place.worker = None
            _log.error(_CANNOT_START, worker=place.number, why=str(problem))
            if self._served:
                self._fill_later(place)
            else:
                self._hopeless(f"worker {place.number} cannot be started: {problem}")

    def _fill_later(self, place: Place) -> None:
        wait = min(FIRST_WAIT * 2**place.failures, LONGEST_WAIT)
        place.failures += 1
        place.timer = steady(self._reactor).callLater(wait, self._fill, place)

    # -- what workers say

    def worker_ready(self, worker: WorkerProcess) -> None:
        """Called by a worker that listens."""
        self._served = True
        _log.info("worker {worker} (process {process}) serves", **worker.named)
        self._choose_keeper()

    def worker_ended(self, worker: WorkerProcess, how: str) -> None:
        """Called by a worker that is gone."""
        if worker in self._alive:
            self._alive.remove(worker)
        self._ended(worker)
        told = worker.told_to_end
        if told:
            _log.info(_ENDED, **worker.named, how=how)
        else:
            _log.error(_ENDED, **worker.named, how=how)
        if self.keeper is worker:
            self.keeper = None
            self._choose_keeper()
        place = self.places[worker.number - 1]
        if place.next is worker:
            place.next = None
        elif place.worker is worker:
            place.worker = None
        else:
            return
        if self.stopping or not place.is_empty:
            return
        if not self._served and not told:
            self._hopeless(f"worker {worker.number} {how} before it served")
            return
        if steady(self._reactor).seconds() - worker.born >= PROVEN:
            place.failures = 0
            self._fill(place)
        else:
            self._fill_later(place)

    def _choose_keeper(self) -> None:
        if self.keeper is not None or self.stopping or not self._has_consoles:
            return
        for worker in sorted(self.serving, key=lambda each: each.number):
            if worker.control is not None:
                self.keeper = worker
                worker.control.keep().addCallbacks(self._keeps, self._does_not_keep)
                return

    def _keeps(self, _result: object) -> None:
        self._kept = True

    def _does_not_keep(self, failure: Failure) -> None:
        if self._kept or failure.check(ConnectionLost):  # when that has ended another one tries
            _log.failure("the consoles do not start", failure)
        else:
            problem: Any = failure.value
            self._hopeless(f"the consoles do not start: {problem.args[0] if problem.args else ''}")

    # -- one by one

    def roll(self) -> None:
        """Replace all workers, one by one; once more after that, if it is said meanwhile."""
        if self.stopping:
            return
        if self._rolling is not None:
            self._again = True
            return
        self._rolling = Deferred.fromCoroutine(self._roll())

        def over(_result: object) -> None:
            self._rolling = None
            if self._again:
                self._again = False
                self.roll()

        self._rolling.addErrback(
            lambda failure: _log.failure("the workers were not replaced", failure)
        )
        self._rolling.addBoth(over)

    async def _roll(self) -> None:
        _log.info("the workers are replaced, one by one")
        old = list(self._alive)
        for place in self.places:
            before = place.worker
            if before is None or before not in old:
                continue  # it was replaced meanwhile
            if not await self._succeed(place):
                break
            self._have_accept([each for each in old if each is not before], False)
            if before.phase is not Phase.ENDED:
                before.end(self._grace)
                await before.gone
            if self.stopping:
                return
        else:
            _log.info("the workers are replaced")
            return
        if not self.stopping:
            self._have_accept(old, True)
            _log.error("the workers are not replaced any further: those that serve go on")

    async def _succeed(self, place: Place) -> bool:
        """Start the next worker of a place; tell whether it serves there now."""
        place.next = new = self._new(place)
        try:
            self._start(new)
        except OSError as problem:
            place.next = None
            _log.error(_CANNOT_START, worker=place.number, why=str(problem))
            return False
        late = steady(self._reactor).callLater(START_TIMEOUT, new.end, 0.0)
        serves = await new.settled
        if late.active():
            late.cancel()
        if self.stopping or not serves:
            return False
        place.next = None
        place.worker = new
        place.failures = 0
        return True

    def _have_accept(self, workers: list[WorkerProcess], clients: bool) -> None:
        for worker in workers:
            if worker.control is not None and worker.phase is Phase.SERVING:
                worker.control.accept(clients).addErrback(lambda _lost: None)

    # -- the end

    def stop(self) -> Deferred[None]:
        """Have all end; fires when no process is left."""
        self.stopping = True
        for place in self.places:
            if place.timer is not None and place.timer.active():
                place.timer.cancel()
        alive = self.alive
        if not alive:
            return succeeded(None)
        for worker in alive:
            worker.end(self._grace)
        gone = DeferredList([worker.gone for worker in alive])
        return gone.addCallback(lambda _all: None)

    def signal(self, number: int) -> None:
        """Send a signal to all."""
        for worker in self.alive:
            worker.signal(number)
