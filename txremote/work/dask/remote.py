"""
The code that a pool sends to a Dask cluster: to its scheduler, and with each job.

Dask takes any task for pure and may run it again. A job is not pure, so it is *claimed* before it
begins: its worker asks the scheduler, which knows of every claim there ever was. A second claim is
refused, and so is that of a job that was cancelled. A claim costs one round trip, and tells the
pool that the job has begun. A short result is sent ahead along with the worker's other messages,
which saves a round trip.

Both parts go by value, as cloudpickle takes a function or a class that stands in a function. So
each is made by a function, with the constants that it needs, and uses nothing of txremote. The
names of the operations have a number in them, which changes with their meaning, for a scheduler
serves pools of any version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: The plugin's name in the scheduler.
PLUGIN = "txremote-1"

#: The topic under which the plugin sends a pool what has happened:
#: ``("threads", how many)``, ``("started", key, worker)``, ``("lost", key, worker)``,
#: ``("ended", key, the outcome pickled)``.
TOPIC = PLUGIN

#: The plugin's operations. `WATCH` has no answer as long as both sides are there.
WATCH, CLAIM, TELL = "txremote_1_watch", "txremote_1_claim", "txremote_1_tell"

#: The largest outcome that is sent ahead, in bytes.
SHORT = 16 << 10

#: The first part of an outcome: how the job has ended.
DONE, RAISED, NOT_MADE, NOT_SENT, REFUSED = "done", "raised", "not made", "not sent", "refused"

Outcome = tuple[Any, ...]


def job_registry() -> Any:
    """Return the scheduler's part: a `distributed.SchedulerPlugin`."""
    from distributed import SchedulerPlugin

    plugin, topic = PLUGIN, TOPIC
    watch_operation, claim_operation, tell_operation = WATCH, CLAIM, TELL

    class JobRegistry(SchedulerPlugin):
        name = plugin
        idempotent = True

        async def start(self, scheduler: Any) -> None:
            self.scheduler = scheduler
            self.claims: dict[str, tuple[str, str]] = {}  # of a job: its client, its worker
            self.pools: dict[str, Any] = {}  # of a client: what ends its watch
            scheduler.handlers[watch_operation] = self.watch
            scheduler.handlers[claim_operation] = self.claim
            scheduler.stream_handlers[tell_operation] = self.pass_on

        async def watch(self, client: str) -> None:
            import asyncio

            self.pools[client] = asyncio.Event()
            self.tell(client, "threads", self.scheduler.total_nthreads)
            await self.pools[client].wait()

        def claim(self, key: str, worker: str) -> str:
            """Return why the job may not begin, or nothing."""
            if key in self.claims:
                return f"it has begun before, in the worker {self.claims[key][1]}"
            task = self.scheduler.tasks.get(key)
            if task is None or not task.who_wants:
                return "it was cancelled"
            if task.processing_on is None or task.processing_on.address != worker:
                return "another worker has it"  # this one was taken for dead
            client = next(iter(task.who_wants)).client_key
            self.claims[key] = (client, worker)
            self.tell(client, "started", key, worker)
            return ""

        def pass_on(self, worker: str, key: str, outcome: bytes) -> None:
            client, where = self.claims.get(key, ("", ""))
            if where == worker:
                self.tell(client, "ended", key, outcome)

        def tell(self, client: str, *what: object) -> None:
            self.scheduler.client_send(client, {"op": "event", "topic": topic, "event": (0, what)})

        def add_worker(self, scheduler: Any, worker: str) -> None:
            for client in self.pools:
                self.tell(client, "threads", scheduler.total_nthreads)

        def remove_worker(self, scheduler: Any, worker: str, **_kwargs: Any) -> None:
            self.add_worker(scheduler, worker)
            for key, (client, where) in self.claims.items():
                task = scheduler.tasks.get(key)
                # a result may have been copied to another worker before
                if where == worker and (task is None or task.state not in ("memory", "erred")):
                    self.tell(client, "lost", key, worker)

        def remove_client(self, scheduler: Any, client: str) -> None:
            if client in self.pools:
                self.pools.pop(client).set()

        def transition(self, key: Any, start: Any, finish: Any, *_args: Any, **_kw: Any) -> None:
            if finish == "forgotten":
                self.claims.pop(key, None)

    return JobRegistry()


def job_runner() -> Callable[[bytes], Outcome]:
    """Return what a worker runs: it makes a pickled call, whose outcome the pool reads."""
    claim, tell, short, refused = CLAIM, TELL, SHORT, REFUSED
    outcome_of = _caller()

    def run(payload: bytes) -> Outcome:
        import asyncio
        import pickle

        from distributed import get_worker

        worker: Any = get_worker()
        key = worker.get_current_task()
        asked = getattr(worker.scheduler, claim)(key=key, worker=worker.address)
        why_not = asyncio.run_coroutine_threadsafe(asked, worker.loop.asyncio_loop).result()
        if why_not:
            return refused, why_not
        found = outcome_of(payload, worker.address)
        packed = pickle.dumps(found, 5)
        if len(packed) > short:
            return found
        message = {"op": tell, "key": key, "outcome": packed}
        worker.loop.add_callback(worker.batched_send, message)
        return refused, "its outcome was sent ahead, and has not arrived"

    return run


def _caller() -> Callable[[bytes, str], Outcome]:
    """Return a function that makes a pickled call in the worker of an address."""
    done, raised, not_made, not_sent = DONE, RAISED, NOT_MADE, NOT_SENT
    words, sentence, text = _wording()

    def outcome_of(payload: bytes, address: str) -> Outcome:
        import pickle

        from distributed.protocol import pickle as dask_pickle

        dumps: Any = dask_pickle.dumps  # cloudpickle, where it is needed
        try:
            function, args, kwargs = pickle.loads(payload)
        except BaseException as error:
            return not_made, f"{address}: {sentence(error)}", text(error)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # sys.exit() in a job is no end of its worker
            kind, told = type(error), words(error)
            if not isinstance(error, Exception):
                kind, told = RuntimeError, f"the job raised {kind.__name__}({told})"
            travelled = ((kind.__module__, kind.__qualname__), (told,), (), "")
            try:
                pickled = dumps(error)
                pickle.loads(pickled)  # many an exception cannot be made of its args alone
            except BaseException:
                return raised, None, travelled, text(error)
            return raised, pickled, travelled, text(error)
        try:
            return done, dumps(result)
        except BaseException as error:
            return not_sent, f"a {type(result).__name__}: {sentence(error)}", text(error)

    return outcome_of


_Told = Callable[[BaseException], str]


def _wording() -> tuple[_Told, _Told, _Told]:
    """Return functions that give an error's message, it as a sentence, and with its traceback."""

    def words(error: BaseException) -> str:
        try:
            return str(error)
        except BaseException:  # any code can be behind __str__
            return ""

    def sentence(error: BaseException) -> str:
        return f"{type(error).__name__}: {words(error)}"

    def text(error: BaseException) -> str:
        import traceback

        try:
            told = error.__traceback__ and error.__traceback__.tb_next  # without `outcome_of`
            return "".join(traceback.format_exception(type(error), error, told))
        except BaseException:  # any code can be behind __cause__
            return sentence(error)

    return words, sentence, text
