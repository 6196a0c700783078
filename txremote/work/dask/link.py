"""
`ClusterLink`: a Dask client in a thread of its own, and the way there and back.

Dask's client lives in an asyncio loop, and blocks any other thread that uses it. Messages cross in
batches: the loop is woken once for all jobs of a turn of the reactor, which are then one graph to
Dask, and the reactor once for all events of a turn of the loop.

A client that has lost its scheduler would go on with one that knows of no job. This one does not:
the end of the watch, a call that the scheduler never answers, is the end of the link.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import pickle
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

from txremote.work.dask.remote import TOPIC, WATCH, Outcome, job_registry, job_runner
from txremote.work.ports import IPoolReactor

#: Seconds in which the client closes the connection; and notices that it is lost.
LEAVE, HASTE = 2.0, 0.1

#: How many jobs, and about how many bytes of them, go into one graph: while it
#: is made and pickled, nothing else is done here.
MOST_JOBS, MOST_BYTES = 500, 4 << 20


class LinkEvents(Protocol):
    """The events of a link, in the reactor's thread."""

    def link_up(self) -> None:
        """The scheduler is there."""

    def link_down(self, why: str) -> None:
        """There is no scheduler, or none any more. No event follows."""

    def cluster_has(self, threads: int) -> None:
        """The cluster's workers have this many threads."""

    def job_started(self, key: str, worker: str) -> None:
        """A job begins."""

    def job_ended(self, key: str, outcome: Outcome) -> None:
        """A job has come back."""

    def job_lost(self, key: str, why: str) -> None:
        """A job will not come back."""


class ClusterLink:
    """A connection to a cluster, for one use. It has `timeout` seconds to come about."""

    def __init__(
        self, reactor: IPoolReactor, address: str, timeout: float, events: LinkEvents
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._timeout = timeout
        self._events = events
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name=f"dask {address}", daemon=True)
        self._muted = self._over = False
        self._closed: Deferred[None] | None = None
        # written in the reactor's thread, read in the other
        self._jobs: OrderedDict[str, bytes] = OrderedDict()
        self._cancelled: deque[str] = deque()
        self._loop_is_woken = False
        # written in the other
        self._posted: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._waking = False
        # the other's own
        self._client: Any = None
        self._run: Any = None
        self._main: asyncio.Task[None] | None = None
        self._stopped = False
        self._threads_known = asyncio.Event()  # whether how many threads there are
        self._futures: dict[str, Any] = {}
        self._tasks: set[asyncio.Future[object]] = set()

    # -- in the reactor's thread

    def start(self) -> None:
        """Connect."""
        self._thread.start()

    def submit(self, key: str, payload: bytes) -> None:
        """Send a job, as soon as there is a scheduler, under a key that no other job ever had."""
        self._jobs[key] = payload
        self._wake_loop()

    def cancel(self, key: str) -> None:
        """Take a job back: if it has not begun it never will."""
        if self._jobs.pop(key, None) is None:  # it has been handed on
            self._cancelled.append(key)
            self._wake_loop()

    def stop(self) -> Deferred[None]:
        """Close the connection; fires when nothing is left. No event follows."""
        self._muted = True
        if self._over:
            return succeed(None)
        self._closed = Deferred()
        with suppress(RuntimeError):  # the loop is closed: it has ended just now
            self._loop.call_soon_threadsafe(self._stop)
        return self._closed

    def _wake_loop(self) -> None:
        if not self._loop_is_woken:
            self._loop_is_woken = True
            with suppress(RuntimeError):  # as above
                self._loop.call_soon_threadsafe(self._send_requests)

    def _deliver(self) -> None:
        self._waking = False  # first, so that an event from now on wakes anew
        posted = self._posted
        for _ in range(len(posted)):
            tell, args = posted.popleft()
            if tell == self._ended or not self._muted:
                tell(*args)

    def _ended(self) -> None:
        self._over = True
        self._thread.join()  # it has nothing left to do
        if self._closed is not None:
            self._closed.callback(None)

    # -- in the thread

    def _post(self, tell: Callable[..., None], *args: object) -> None:
        self._posted.append((tell, args))
        if not self._waking:
            self._waking = True
            self._reactor.callFromThread(self._deliver)

    def _run_loop(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._connected())
        except BaseException as problem:  # no such protocol, say
            self._post(self._events.link_down, str(problem) or type(problem).__name__)
        self._post(self._ended)

    def _stop(self) -> None:
        self._stopped = True
        if self._main is not None:
            self._main.cancel()

    async def _connected(self) -> None:
        """Be connected, until that ends."""
        import distributed

        if self._stopped:
            return
        self._main = asyncio.current_task()
        lost = asyncio.Event()

        async def give_up(client: Any) -> None:
            client.scheduler_comm = None  # which ends the client's attempts to reconnect
            lost.set()

        make_client: Any = type("Client", (distributed.Client,), {"_reconnect": give_up})
        client = make_client(
            self._address,
            asynchronous=True,
            timeout=2 * self._timeout,  # ours comes first; Dask's does not cover all of it
            name="txremote",
            set_as_default=False,
        )
        try:
            watch = await asyncio.wait_for(self._introduce(client), self._timeout)
            self._client = client
            self._post(self._events.link_up)
            self._send_requests()
            with suppress(OSError):
                await watch
            self._post(self._events.link_down, "the connection has ended")
            # or closing logs that nobody is there
            await asyncio.wait_for(lost.wait(), HASTE)
        except asyncio.CancelledError:
            pass
        except TimeoutError:
            if self._client is None:
                why = f"it did not answer within {self._timeout:g} s"
                self._post(self._events.link_down, why)
        finally:
            self._client = self._main = None
            with suppress(Exception):  # the other side may be gone, or hang
                await client.close(timeout=LEAVE)

    async def _introduce(self, client: Any) -> Any:
        """Connect, bring the scheduler its part, and return a future of the connection's end."""
        await client
        versions = await client.scheduler.versions()
        check_python(versions["host"]["python"])
        self._run = job_runner()
        client.subscribe_topic(TOPIC, self._event_received)
        await client.register_plugin(job_registry())
        watch = asyncio.ensure_future(getattr(client.scheduler, WATCH)(client=client.id))
        await self._threads_known.wait()
        return watch

    def _send_requests(self) -> None:
        """Send the jobs and cancellations that have come, if there is a scheduler."""
        self._loop_is_woken = False  # first, as in _deliver
        if self._client is None:
            return
        batch: dict[str, bytes] = {}
        size = 0
        while self._jobs and len(batch) < MOST_JOBS and size < MOST_BYTES:
            with suppress(KeyError):  # cancelled at this moment
                key, payload = self._jobs.popitem(last=False)
                batch[key] = payload
                size += len(payload)
        if batch:
            self._send(batch)
        if self._jobs:
            self._loop.call_soon(self._send_requests)
        if self._cancelled:
            cancelled = [self._cancelled.popleft() for _ in range(len(self._cancelled))]
            self._take_back([key for key in cancelled if key in self._futures])

    def _send(self, batch: Mapping[str, bytes]) -> None:
        import dask

        # Dask's advice on large arguments is nothing that the pool's user could follow
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            futures = self._client.map(
                self._run, list(batch.values()), key=list(batch), pure=False, retries=0
            )
        for future in futures:
            self._futures[future.key] = future
            self._start(self._follow(future))

    def _take_back(self, keys: Sequence[str]) -> None:
        self._start(self._client.cancel([self._futures.pop(key) for key in keys]))

    def _start(self, coroutine: Coroutine[object, object, object]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)  # the loop itself holds no task
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, future: Any) -> None:
        """Wait for a job's outcome."""
        key = future.key
        try:
            outcome = await future
        except concurrent.futures.CancelledError as problem:
            # We cancelled it; or the scheduler is lost, which another event tells; or
            # somebody has restarted the cluster.
            client = self._client
            if key in self._futures and client is not None and client.status == "running":
                self._post(self._events.job_lost, key, str(problem))
        except Exception as problem:  # Dask's own: a job brings its exception back
            self._post(self._events.job_lost, key, f"{type(problem).__name__}: {problem}")
        else:
            self._post(self._events.job_ended, key, outcome)
        finally:
            self._futures.pop(key, None)
            future.release()

    def _event_received(self, event: tuple[float, tuple[Any, ...]]) -> None:
        """Take an event of the scheduler's part."""
        _when, (what, *about) = event
        if what == "threads":
            self._post(self._events.cluster_has, *about)
            self._threads_known.set()
        elif what == "started":
            self._post(self._events.job_started, *about)
        elif about[0] not in self._futures:  # known before, or cancelled
            return
        elif what == "ended":
            key, outcome = about
            self._post(self._events.job_ended, key, pickle.loads(outcome))
            self._futures.pop(key).release()
        elif what == "lost":
            key, worker = about
            self._post(
                self._events.job_lost, key, f"the worker {worker} was lost while it had the job"
            )
            self._take_back([key])  # Dask is about to run it again, and would be refused


def check_python(theirs: str) -> None:
    """Refuse (RuntimeError) a scheduler of another Python: code goes there by value."""
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if theirs.split(".")[:2] != ours.split("."):
        raise RuntimeError(
            f"the scheduler runs Python {theirs}, and this is {ours}: Dask wants the same in both"
        )
