"""
`ClusterLink`: a Dask client in a thread of its own, and the way there and back.

Dask's client lives in an asyncio loop. Used from another thread it blocks there,
until it is connected and for each result; so it has a thread, its loop and its
coroutines to itself, and the reactor's thread never waits for either. What is
said across is said in batches: one waking for all jobs of a turn of the reactor,
which are then one graph to Dask, and one for all that the loop has to tell.

A client whose scheduler is lost tries for a while to find it again, and would
then go on with a scheduler that knows of nothing. This one does not, and the end
of the watch, a call that the scheduler never answers, is the end of the link.

`distributed` is imported in the thread: it takes a good part of a second.
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

#: Seconds that the client has to take its leave of the scheduler; and to notice
#: that it is lost.
LEAVE, HASTE = 2.0, 0.1

#: How many jobs, and about how many bytes of them, go into one graph: while it
#: is made and pickled, nothing else is done here.
MOST_JOBS, MOST_BYTES = 500, 4 << 20


class Owner(Protocol):
    """Who is told what a link hears, in the reactor's thread."""

    def link_up(self) -> None:
        """The scheduler is there."""

    def link_down(self, why: str) -> None:
        """There is no scheduler, or none any more; nothing more will be heard."""

    def cluster_has(self, threads: int) -> None:
        """So many threads of workers are there."""

    def job_started(self, key: str, worker: str) -> None:
        """A job begins."""

    def job_ended(self, key: str, outcome: Outcome) -> None:
        """A job has come back."""

    def job_lost(self, key: str, why: str) -> None:
        """A job will not come back."""


class ClusterLink:
    """
    The connection to a cluster. It is good for one.

    Args:
        reactor: Whose thread the owner lives in.
        address: The scheduler's, as Dask has it.
        timeout: Seconds in which the scheduler has to answer first.
        owner: Who is told what happens.
    """

    def __init__(self, reactor: IPoolReactor, address: str, timeout: float, owner: Owner) -> None:
        self._reactor = reactor
        self._address = address
        self._timeout = timeout
        self._owner = owner
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name=f"dask {address}", daemon=True)
        self._muted = self._over = False
        self._gone: Deferred[None] | None = None
        # said in the reactor's thread, for the other
        self._jobs: OrderedDict[str, bytes] = OrderedDict()
        self._cancelled: deque[str] = deque()
        self._asked = False
        # said in the other
        self._heard: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._telling = False
        # the other's own
        self._client: Any = None
        self._run: Any = None
        self._main: asyncio.Task[None] | None = None
        self._stopped = False
        self._knows = asyncio.Event()  # whether how many threads there are
        self._futures: dict[str, Any] = {}
        self._tasks: set[asyncio.Future[object]] = set()

    # -- in the reactor's thread

    def start(self) -> None:
        """Connect."""
        self._thread.start()

    def submit(self, key: str, payload: bytes) -> None:
        """
        Send a job, as soon as there is a scheduler.

        Args:
            key: Its name for Dask, which nothing else ever had.
            payload: The call, pickled.
        """
        self._jobs[key] = payload
        self._ask()

    def cancel(self, key: str) -> None:
        """Take a job back: if it has not begun it never will."""
        if self._jobs.pop(key, None) is None:  # it has been handed on
            self._cancelled.append(key)
            self._ask()

    def stop(self) -> Deferred[None]:
        """
        Close the connection, if there is one. The owner hears nothing more.

        Returns:
            A Deferred of nothing being left.
        """
        self._muted = True
        if self._over:
            return succeed(None)
        self._gone = Deferred()
        with suppress(RuntimeError):  # the loop is closed: it has ended just now
            self._loop.call_soon_threadsafe(self._stop)
        return self._gone

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            with suppress(RuntimeError):  # as above
                self._loop.call_soon_threadsafe(self._obey)

    def _hear(self) -> None:
        self._telling = False  # before looking: what is told from now on wakes anew
        heard = self._heard
        for _ in range(len(heard)):
            tell, args = heard.popleft()
            if tell == self._ended or not self._muted:
                tell(*args)

    def _ended(self) -> None:
        self._over = True
        self._thread.join()  # it has nothing left to do
        if self._gone is not None:
            self._gone.callback(None)

    # -- in the thread

    def _tell(self, tell: Callable[..., None], *args: object) -> None:
        self._heard.append((tell, args))
        if not self._telling:
            self._telling = True
            self._reactor.callFromThread(self._hear)

    def _live(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._connected())
        except BaseException as problem:  # no such protocol, say; the owner has to hear of any
            self._tell(self._owner.link_down, str(problem) or type(problem).__name__)
        self._tell(self._ended)

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
            client.scheduler_comm = None  # which ends the loop that would go on looking
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
            self._tell(self._owner.link_up)
            self._obey()
            with suppress(OSError):
                await watch
            self._tell(self._owner.link_down, "the connection has ended")
            # or it says good-bye to nobody, and logs that nobody is there
            await asyncio.wait_for(lost.wait(), HASTE)
        except asyncio.CancelledError:
            pass
        except TimeoutError:
            if self._client is None:
                why = f"it did not answer within {self._timeout:g} s"
                self._tell(self._owner.link_down, why)
        finally:
            self._client = self._main = None
            with suppress(Exception):  # the other side may be gone, or hang
                await client.close(timeout=LEAVE)

    async def _introduce(self, client: Any) -> Any:
        """
        Connect, and bring the scheduler its part.

        Returns:
            A future of the connection's end.
        """
        await client
        versions = await client.scheduler.versions()
        check_python(versions["host"]["python"])
        self._run = job_runner()
        client.subscribe_topic(TOPIC, self._happened)
        await client.register_plugin(job_registry())
        watch = asyncio.ensure_future(getattr(client.scheduler, WATCH)(client=client.id))
        await self._knows.wait()
        return watch

    def _obey(self) -> None:
        """Hand on what was asked for, if there is somebody to hand it to."""
        self._asked = False  # before looking, as in _hear
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
            self._loop.call_soon(self._obey)
        if self._cancelled:
            cancelled = [self._cancelled.popleft() for _ in range(len(self._cancelled))]
            self._take_back([key for key in cancelled if key in self._futures])

    def _send(self, batch: Mapping[str, bytes]) -> None:
        import dask

        # what Dask advises for large arguments is nothing that the pool's user could do
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
        """Tell the owner how a job has fared."""
        key = future.key
        try:
            outcome = await future
        except concurrent.futures.CancelledError as problem:
            # We did it, and the owner knows; or the scheduler is lost, and the
            # owner will know; or somebody has restarted the cluster.
            client = self._client
            if key in self._futures and client is not None and client.status == "running":
                self._tell(self._owner.job_lost, key, str(problem))
        except Exception as problem:  # Dask's own: a job brings its exception back
            self._tell(self._owner.job_lost, key, f"{type(problem).__name__}: {problem}")
        else:
            self._tell(self._owner.job_ended, key, outcome)
        finally:
            self._futures.pop(key, None)
            future.release()

    def _happened(self, event: tuple[float, tuple[Any, ...]]) -> None:
        """Take what the scheduler's part tells."""
        _when, (what, *about) = event
        if what == "threads":
            self._tell(self._owner.cluster_has, *about)
            self._knows.set()
        elif what == "started":
            self._tell(self._owner.job_started, *about)
        elif about[0] not in self._futures:  # it was told of before, or nobody waits for it
            return
        elif what == "ended":
            key, outcome = about
            self._tell(self._owner.job_ended, key, pickle.loads(outcome))
            self._futures.pop(key).release()
        elif what == "lost":
            key, worker = about
            self._tell(
                self._owner.job_lost, key, f"the worker {worker} was lost while it had the job"
            )
            self._take_back([key])  # Dask is about to run it again, and would be refused


def check_python(theirs: str) -> None:
    """
    Refuse a scheduler of another Python: what goes there as code would not do.

    Args:
        theirs: Its version, such as ``3.11.7.final.0``.

    Raises:
        RuntimeError: it is another one.
    """
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if theirs.split(".")[:2] != ours.split("."):
        raise RuntimeError(
            f"the scheduler runs Python {theirs}, and this is {ours}: Dask wants the same in both"
        )
