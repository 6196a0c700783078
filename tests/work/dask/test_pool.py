"""
The Dask pool, against a real scheduler and real workers.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
import time
from collections import Counter
from functools import partial

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.error import ConnectionLost as TwistedConnectionLost
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from tests.aio.running import each_loop, run, until as loop_until
from tests.tracing.recorded import recording
from tests.tracing.seen import seen
from tests.work.dask import jobs
from tests.work.dask.cluster import Cluster
from txremote.aio import run_async
from txremote.aio.loop import AsyncioLoop
from txremote.errors import (
    ConnectionLost,
    JobTimeout,
    NotPicklable,
    PoolFull,
    PoolStopped,
    WorkerDied,
)
from txremote.interfaces import IPool
from txremote.service import Service
from txremote.tasks.keeper import TaskKeeper
from txremote.testing import connected_pair
from txremote.work.dask.pool import DaskPool, _result, parse
from txremote.work.dask.remote import REFUSED
from txremote.work.live import live
from txremote.work.pool import PoolStatistics

pytest.importorskip("distributed")

PATIENCE = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, for the tests that leave them alone."""
    with Cluster(tmp_path_factory.mktemp("dask")) as running:
        yield running


@pytest.fixture
def doomed(tmp_path):
    """The same, for a test that does not."""
    with Cluster(tmp_path) as running:
        yield running


@pytest.fixture
def stopping():
    """Takes pools, and stops them when the test is over."""
    pools = []
    yield lambda pool: pools.append(pool) or pool
    pytest_twisted.blockon(gatherResults([pool.stop() for pool in pools]))


@pytest.fixture
def pool(cluster, stopping):
    """A pool on the cluster, ready."""
    pool = stopping(DaskPool(reactor, cluster.address))
    pytest_twisted.blockon(pool.start())
    return pool


async def until(true):
    """Wait for a condition, within the deadline."""
    end = reactor.seconds() + PATIENCE
    while not true():
        assert reactor.seconds() < end
        await deferLater(reactor, 0.01)


async def failure_of(deferred):
    """Return what a Deferred fails with."""
    try:
        result = await deferred
    except BaseException as error:
        return error
    raise AssertionError(f"it gave {result!r}")


def look(cluster, function):
    """Return what a function finds in the scheduler. Not for the reactor's thread."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        return client.run_on_scheduler(function)


def of_tasks(dask_scheduler):
    """Find out how many tasks there are."""
    return len(dask_scheduler.tasks)


def of_plugin(dask_scheduler):
    """Find out how many claims and how many pools there are."""
    plugin = dask_scheduler.plugins["txremote-1"]
    return len(plugin.claims), len(plugin.pools)


class Marks:
    """A file that jobs leave marks in, and one that they wait for."""

    def __init__(self, folder):
        self.file = folder / "marks"
        self.gate = folder / "gate"
        self.file.touch()

    def counted(self):
        return Counter(self.file.read_text().split())

    def open_gate(self):
        self.gate.touch()

    def wait(self, pool, text, **options):
        """Submit a job that leaves a mark and waits at the gate."""
        return pool.submit(jobs.mark_and_wait, (self.file, text, self.gate), **options)


@pytest.fixture
def marks(tmp_path):
    """Marks; whoever waits at the gate is let through when the test is over."""
    found = Marks(tmp_path)
    yield found
    found.open_gate()


# -- results


@pytest_twisted.ensureDeferred
async def test_a_call_runs_elsewhere_and_its_result_comes_back(pool):
    """Arguments by position and by name, and a Deferred of the result."""
    verifyObject(IPool, pool)
    assert await pool.submit(jobs.lookup, ({"a": 2}, "a"), {"add": 3}) == 5


@pytest_twisted.ensureDeferred
async def test_lambdas_and_closures_go_by_value(pool):
    """A function that cannot be imported in a worker goes there all the same."""
    more = 7
    assert await pool.submit(lambda number: number + more, (1,)) == 8


@pytest_twisted.ensureDeferred
async def test_the_cluster_has_no_need_of_txremote(pool, cluster):
    """It is not imported there, for a result, an error or what cannot be sent."""
    for function in (jobs.odd, jobs.unpicklable):
        await failure_of(pool.submit(function))
    assert await pool.submit(jobs.modules_of, ("txremote",)) == []
    assert await deferToThread(look, cluster, partial(jobs.modules_of, "txremote")) == []


@pytest_twisted.ensureDeferred
async def test_many_jobs_keep_their_results_apart(pool):
    """Each Deferred gets what its own job gave."""
    results = await gatherResults([pool.submit(pow, (number, 2)) for number in range(200)])
    assert results == [number**2 for number in range(200)]
    assert pool.statistics() == PoolStatistics(workers=2, done=200)


@pytest_twisted.ensureDeferred
async def test_values_may_be_large(pool, recwarn):
    """Dask's warning about large arguments is not for the pool's user, who can do nothing."""
    blob = bytes(12_000_000)
    assert await pool.submit(bytes, (blob,)) == blob
    assert not recwarn.list


@pytest_twisted.ensureDeferred
async def test_the_same_call_twice_runs_twice(pool, marks):
    """Dask would take the second for the first, whose result it has."""
    call = (jobs.mark, (marks.file, "here"))
    await gatherResults([pool.submit(*call), pool.submit(*call)])
    assert marks.counted() == {"here": 2}


@pytest_twisted.ensureDeferred
async def test_two_pools_share_a_cluster(pool, cluster, stopping):
    """Each hears of its own jobs, and one that stops leaves the other alone."""
    other = stopping(DaskPool(reactor, cluster.address))
    await other.start()
    assert await gatherResults([pool.submit(abs, (-1,)), other.submit(abs, (-2,))]) == [1, 2]
    await other.stop()
    assert await pool.submit(abs, (-3,)) == 3
    assert (pool.statistics().done, other.statistics().done) == (2, 1)


@pytest_twisted.ensureDeferred
async def test_the_scheduler_forgets_what_has_ended(pool, cluster):
    """A scheduler that runs for a year remembers no job that is over."""

    await gatherResults([pool.submit(abs, (number,)) for number in range(20)])
    await pool.stop()
    assert await deferToThread(look, cluster, of_plugin) == (0, 0)


# -- errors


@pytest_twisted.ensureDeferred
async def test_an_exception_arrives_with_its_traceback(pool):
    """It is of its own class, and its cause is the traceback of the worker, as text."""
    error = await failure_of(pool.submit(jobs.lookup, ({}, "nobody")))
    assert type(error) is KeyError
    assert error.args == ("nobody",)
    assert "return table[name] + add" in str(error.__cause__)
    assert "dask/remote" not in str(error.__cause__)
    assert pool.statistics().failed == 1


@pytest_twisted.ensureDeferred
async def test_an_exception_that_cannot_be_made_again_tells_its_name(pool):
    """Its text and traceback come all the same."""
    error = await failure_of(pool.submit(jobs.odd))
    assert "Odd" in type(error).__name__
    assert "one and two" in str(error)
    assert 'raise Odd("one", "two")' in str(error.__cause__)


@pytest_twisted.ensureDeferred
async def test_an_exception_that_cannot_even_be_printed_arrives(pool):
    """As a failure with its name and its traceback."""
    error = await failure_of(pool.submit(jobs.mute))
    assert "Mute" in type(error).__name__
    assert "raise Mute" in str(error.__cause__)


@pytest_twisted.ensureDeferred
async def test_a_job_that_leaves_the_program_takes_no_worker_with_it(pool):
    """sys.exit() in a job is an error of that job."""
    error = await failure_of(pool.submit(jobs.leave))
    assert isinstance(error, RuntimeError)
    assert "SystemExit(3)" in str(error)
    assert await pool.submit(abs, (-1,)) == 1


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_pickled_is_named(pool):
    """Whether it is an argument or a result."""
    error = await failure_of(pool.submit(print, (1, sys._getframe())))
    assert type(error) is NotPicklable
    assert "argument 2, a frame, of the job print cannot be sent" in str(error)
    error = await failure_of(pool.submit(jobs.unpicklable))
    assert type(error) is NotPicklable
    assert "the result of the job unpicklable cannot be sent back: a frame: " in str(error)


@pytest_twisted.ensureDeferred
async def test_a_result_that_cannot_be_made_here_is_named(pool):
    """The job has ended well, and its Deferred fails."""
    error = await failure_of(pool.submit(jobs.trap))
    assert type(error) is NotPicklable
    assert "the result of the job trap cannot be made here: ValueError: a trap of" in str(error)


@pytest_twisted.ensureDeferred
async def test_a_module_that_a_worker_does_not_have_is_named(pool, cluster, tmp_path, monkeypatch):
    """And which worker it is."""
    (tmp_path / "only_at_home.py").write_text("def job():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_at_home

    error = await failure_of(pool.submit(only_at_home.job))
    assert type(error) is NotPicklable
    assert "No module named 'only_at_home'" in str(error)
    assert any(worker in str(error) for worker in cluster.workers)


@pytest_twisted.ensureDeferred
async def test_references_are_refused(pool):
    """A worker of Dask cannot call back; the sentence says which pools can."""
    pair = connected_pair(server_root=Service)
    for argument in (live([]), [live([])], pair.client.root, pair.client.root.method):
        error = await failure_of(pool.submit(print, (argument,)))
        assert type(error) is NotPicklable
        assert "print" in str(error)
        assert "use a pool of processes or of threads" in str(error)


def test_a_job_that_dask_would_run_again_has_lost_its_worker():
    """That is what it comes down to, whoever hears of it first."""
    failure = _result("job", REFUSED, "it has begun before, in the worker tcp://1.2.3.4:5")
    assert failure.check(WorkerDied)
    assert failure.getErrorMessage().endswith("tcp://1.2.3.4:5; it is not run again")


# -- cancelling and time


class NoLink:
    """A connection to no cluster."""

    def submit(self, key, payload):
        pass

    def cancel(self, key):
        pass


def test_a_job_that_fails_may_cancel_all_others():
    """When the scheduler is lost, too: each has one end, and no error of the pool's."""
    pool = DaskPool(reactor, "tcp://127.0.0.1:1")
    pool.running = True
    pool._link = NoLink()
    ends = []
    jobs = [pool.submit(len, ("abc",)) for _ in range(3)]

    def failed(failure):
        ends.append(failure.type)
        for job in jobs:
            job.cancel()

    for job in jobs:
        job.addErrback(failed)
    pool.link_down("it has gone")
    assert ends == [ConnectionLost, CancelledError, CancelledError]
    assert pool._jobs == {}


@pytest_twisted.ensureDeferred
async def test_a_cancelled_job_that_waits_never_runs(pool, cluster, marks):
    """Not even if it was sent to a worker already."""
    running = [marks.wait(pool, "one"), marks.wait(pool, "two")]
    await until(lambda: pool.statistics().busy == 2)
    cancelled = [pool.submit(jobs.mark, (marks.file, "never")) for _ in range(10)]
    at_last = pool.submit(jobs.mark, (marks.file, "last"))
    assert pool.statistics() == PoolStatistics(workers=2, busy=2, queued=11)
    while await deferToThread(look, cluster, of_tasks) < 13:
        pass
    for deferred in cancelled:
        deferred.cancel()
        assert type(await failure_of(deferred)) is CancelledError
    assert pool.statistics().queued == 1
    while await deferToThread(look, cluster, of_tasks) > 3:
        pass  # it takes a moment to get there
    marks.open_gate()
    assert await gatherResults([*running, at_last]) == ["one", "two", "last"]
    assert marks.counted() == {"one": 1, "two": 1, "last": 1}


@pytest_twisted.ensureDeferred
async def test_a_job_that_is_cancelled_as_it_begins_goes_on(pool, marks):
    """There is no telling in time; it is neither waited for nor counted, and the log has it."""
    job = marks.wait(pool, "one")
    while not marks.counted():  # it runs, and the reactor, held up here, has not heard of it
        time.sleep(0.001)
    with capturedLogs() as logged:
        job.cancel()
        assert type(await failure_of(job)) is CancelledError
        assert pool.statistics() == PoolStatistics(workers=2)
        await until(lambda: logged)
    (event,) = logged
    assert "was cancelled as it began" in event["log_format"].format(**event)


@pytest_twisted.ensureDeferred
async def test_a_job_that_is_cancelled_at_once_never_runs(pool, marks):
    """Before anything of it has left this process."""
    pool._link._loop_is_woken = True  # it does not come by between a job and its end
    for deferred in [pool.submit(jobs.mark, (marks.file, "never")) for _ in range(10)]:
        deferred.cancel()
        assert type(await failure_of(deferred)) is CancelledError
    pool._link._loop_is_woken = False
    await gatherResults([pool.submit(jobs.mark, (marks.file, "after")) for _ in range(4)])
    assert marks.counted() == {"after": 4}


@pytest_twisted.ensureDeferred
async def test_a_cancelled_job_that_runs_is_abandoned(pool, marks):
    """Its Deferred fails at once; it goes on, as log and figures say, until it ends."""
    job = marks.wait(pool, "one", name="the long one")
    await until(lambda: pool.statistics().busy)
    with capturedLogs() as logged:
        job.cancel()
        assert type(await failure_of(job)) is CancelledError
    assert pool.statistics() == PoolStatistics(workers=2, busy=1, abandoned=1)
    (event,) = logged
    text = event["log_format"].format(**event)
    assert "the job the long one was cancelled" in text
    assert "goes on in tcp://127.0.0.1:" in text
    marks.open_gate()
    await until(lambda: not pool.statistics().busy)
    assert pool.statistics() == PoolStatistics(workers=2, done=1)


@pytest_twisted.ensureDeferred
async def test_a_jobs_time_begins_when_the_job_does(pool, marks):
    """Waiting costs nothing of it; running does."""
    running = [marks.wait(pool, "one"), marks.wait(pool, "two", timeout=0.2)]
    await until(lambda: pool.statistics().busy == 2)
    waiting = pool.submit(jobs.mark, (marks.file, "three"), timeout=0.2)
    error = await failure_of(running[1])
    assert type(error) is JobTimeout
    assert isinstance(error, TimeoutError)
    assert str(error) == "the job mark_and_wait took longer than 0.2 s"
    assert pool.statistics().abandoned == 1
    marks.open_gate()
    assert await gatherResults([running[0], waiting]) == ["one", "three"]
    await until(lambda: pool.statistics() == PoolStatistics(workers=2, done=3))


@pytest_twisted.ensureDeferred
async def test_the_queue_has_an_end(cluster, stopping, marks):
    """The refusal names the option; when a job has ended there is room again."""
    pool = stopping(DaskPool(reactor, cluster.address, queue=2))
    await pool.start()
    taken = [marks.wait(pool, "one"), marks.wait(pool, "two")]
    error = await failure_of(pool.submit(abs, (1,)))
    assert type(error) is PoolFull
    assert "queue=" in str(error)
    marks.open_gate()
    await gatherResults(taken)
    assert await pool.submit(abs, (-1,)) == 1


# -- the pool's life


@pytest_twisted.ensureDeferred
async def test_jobs_may_be_submitted_before_the_scheduler_has_answered(cluster, stopping):
    """They are sent when it has."""
    pool = stopping(DaskPool(reactor, cluster.address))
    started = pool.start()
    result = pool.submit(abs, (-1,))
    assert not started.called
    assert await result == 1
    await started


@pytest_twisted.ensureDeferred
async def test_a_pool_that_was_not_started_refuses(cluster):
    """So does one that was stopped; each says what is the matter."""
    pool = DaskPool(reactor, cluster.address)
    error = await failure_of(pool.submit(abs, (1,)))
    assert type(error) is PoolStopped
    assert "start() it" in str(error)
    await pool.stop()


@pytest_twisted.ensureDeferred
async def test_stopping_fails_what_is_under_way_and_leaves_no_thread(cluster, marks):
    """And the pool can be started again."""
    before = set(threading.enumerate())
    pool = DaskPool(reactor, cluster.address)
    await pool.start()
    under_way = [marks.wait(pool, "a"), marks.wait(pool, "b"), pool.submit(abs, (1,))]
    await until(lambda: pool.statistics().busy == 2)
    stopped = pool.stop()
    for deferred in under_way:
        error = await failure_of(deferred)
        assert type(error) is PoolStopped
        assert "was stopped" in str(error)
    await stopped
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert left <= {"Dask-Offload_0"}  # Dask's own, one for the whole process
    assert pool.statistics() == PoolStatistics()
    marks.open_gate()
    await pool.start()
    assert await pool.submit(abs, (-1,)) == 1
    await pool.stop()


@pytest_twisted.ensureDeferred
async def test_a_pool_can_be_started_again_while_it_stops(cluster, stopping):
    """Its old connection does not disturb the new one."""
    pool = stopping(DaskPool(reactor, cluster.address))
    await pool.start()
    stopped = pool.stop()
    started = pool.start()
    await gatherResults([stopped, started])
    assert await pool.submit(abs, (-1,)) == 1


@pytest_twisted.ensureDeferred
async def test_a_pool_can_be_stopped_while_it_starts(stopping):
    """A caller that waits for it to be ready is told, and nothing is left."""
    pool = DaskPool(reactor, "tcp://127.0.0.1:1")
    started = pool.start()
    job = pool.submit(abs, (1,))
    stopped = pool.stop()
    for deferred in (started, job):
        assert type(await failure_of(deferred)) is PoolStopped
    await stopped


@pytest_twisted.ensureDeferred
async def test_a_scheduler_that_is_not_there_is_an_error_in_time(stopping):
    """start() fails, and so do the jobs; later ones at once, and what to do is said."""
    pool = stopping(DaskPool(reactor, "tcp://127.0.0.1:1", timeout=0.5))
    started = pool.start()
    job = pool.submit(abs, (1,))
    for deferred in (started, job):
        error = await failure_of(deferred)
        assert type(error) is PoolStopped
        assert "there is no Dask scheduler at tcp://127.0.0.1:1: " in str(error)
    late = pool.submit(abs, (1,))
    assert late.called
    error = await failure_of(late)
    assert type(error) is PoolStopped
    assert "start() it to connect anew" in str(error)


@pytest_twisted.ensureDeferred
async def test_a_port_that_says_nothing_is_an_error_in_time(stopping):
    """Somebody listens there, and it is no scheduler."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        pool = stopping(DaskPool(reactor, address, timeout=0.5))
        assert type(await failure_of(pool.start())) is PoolStopped


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("address", ["nonsense://host:1", "tcp://no.such.host.invalid:8786"])
async def test_an_address_that_makes_no_sense_is_an_error(stopping, address):
    """Dask's own words are in it."""
    pool = stopping(DaskPool(reactor, address, timeout=0.5))
    error = await failure_of(pool.start())
    assert type(error) is PoolStopped
    assert f"there is no Dask scheduler at {address}: " in str(error)


def test_without_dask_the_extra_is_named(monkeypatch):
    """Nobody has to guess what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'txremote\[dask\]'"):
        DaskPool(reactor, "tcp://127.0.0.1:8786")
    with pytest.raises(ValueError, match=r"pip install 'txremote\[dask\]'"):
        parse(reactor, ("tcp://127.0.0.1:8786",), {})


@pytest_twisted.ensureDeferred
async def test_workers_come_when_they_come(stopping, tmp_path):
    """A cluster that has none yet takes jobs, and runs them when it has."""
    with Cluster(tmp_path, workers=0) as empty:
        pool = stopping(DaskPool(reactor, empty.address))
        await pool.start()
        job = pool.submit(abs, (-1,))
        assert pool.statistics() == PoolStatistics(queued=1)
        await deferToThread(empty.add_workers, 1)
        assert await job == 1
        assert pool.statistics() == PoolStatistics(workers=1, done=1)


# -- descriptions


def test_a_description_gives_a_pool():
    """As `--pool` takes it."""
    pool = parse(reactor, ("tcp://host:8786",), {"queue": "7", "timeout": "3"})
    assert (pool.kind, pool.by_value) == ("dask", True)
    assert pool.description == "dask:tcp://host:8786:queue=7:timeout=3"
    assert repr(pool) == "<DaskPool dask:tcp://host:8786:queue=7:timeout=3 stopped>"
    assert DaskPool(reactor, "tcp://host:8786").description == "dask:tcp://host:8786"


@pytest.mark.parametrize(
    ("words", "options", "sentence"),
    [
        ((), {}, "says no scheduler: dask:tcp://HOST:8786"),
        (("tcp://host:1", "2"), {}, "a word too many"),
        (("tcp://host:1",), {"queues": "1"}, "queues= that means nothing"),
        (("tcp://host:1",), {"timeout": "soon"}, "'soon'"),
        (("tcp://host:1",), {"queue": "0"}, "'0'"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(words, options, sentence):
    """With a sentence that says why."""
    with pytest.raises(ValueError, match=sentence):
        parse(reactor, words, options)


# -- what is lost


@pytest_twisted.ensureDeferred
async def test_a_worker_killed_in_the_middle_loses_its_own_job_and_no_other(
    doomed, stopping, marks, tmp_path
):
    """Nothing is run twice, whatever Dask would do; and nobody waits for the dead."""
    pool = stopping(DaskPool(reactor, doomed.address))
    await pool.start()
    gates = [tmp_path / "first", tmp_path / "second"]
    running = [
        pool.submit(jobs.mark_and_wait, (marks.file, gate.name, gate), name=f"the {gate.name}")
        for gate in gates
    ]
    await until(lambda: pool.statistics().busy == 2 and len(marks.counted()) == 2)
    others = [pool.submit(jobs.mark, (marks.file, f"other{number}")) for number in range(50)]
    killed, kept = list(doomed.workers)
    doomed.kill_worker(killed)
    await until(lambda: any(deferred.called for deferred in running))
    assert sum(deferred.called for deferred in running) == 1
    (lost,) = (number for number in (0, 1) if running[number].called)
    error = await failure_of(running[lost])
    assert type(error) is WorkerDied
    assert killed in str(error)
    assert f"the {gates[lost].name}: " in str(error)
    assert "not run again" in str(error)
    gates[lost].touch()
    gates[1 - lost].touch()
    assert await running[1 - lost] == gates[1 - lost].name
    assert await gatherResults(others) == [f"other{number}" for number in range(50)]
    assert pool.statistics() == PoolStatistics(workers=1, done=51, failed=1)
    # the last worker goes with its job: there is nobody left to run anything
    error = await failure_of(pool.submit(jobs.mark_and_die, (marks.file, "died")))
    assert type(error) is WorkerDied
    assert kept in str(error)
    assert pool.statistics().workers == 0
    names = ["first", "second", "died", *(f"other{number}" for number in range(50))]
    assert marks.counted() == dict.fromkeys(names, 1)


@pytest_twisted.ensureDeferred
async def test_a_job_that_takes_its_worker_away_is_not_tried_on_the_others(doomed, stopping, marks):
    """Dask would try it on four."""
    pool = stopping(DaskPool(reactor, doomed.address))
    await pool.start()
    error = await failure_of(pool.submit(jobs.mark_and_die, (marks.file, "died")))
    assert type(error) is WorkerDied
    for number in range(4):  # the other worker is there, and has not been given it
        assert await pool.submit(abs, (-number,)) == number
    assert marks.counted() == {"died": 1}


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_lost_scheduler_fails_what_is_under_way(doomed, stopping, marks, how, caplog):
    """At once, and each once; what comes later is refused, and the log says it in a line."""
    pool = stopping(DaskPool(reactor, doomed.address))
    await pool.start()
    under_way = [marks.wait(pool, str(number)) for number in range(4)]
    await until(lambda: pool.statistics().busy == 2)
    with capturedLogs() as logged:
        doomed.scheduler.signal(how)
        for deferred in under_way:
            error = await failure_of(deferred)
            if how == signal.SIGTERM and type(error) is WorkerDied:
                continue  # it closes its workers first, and that was heard of before its end
            assert type(error) is ConnectionLost
            assert isinstance(error, TwistedConnectionLost)
            assert f"the Dask scheduler at {doomed.address} was lost" in str(error)
        await until(lambda: logged)
    assert [event["log_namespace"] for event in logged] == ["txremote"]
    late = pool.submit(abs, (1,))
    assert late.called
    error = await failure_of(late)
    assert type(error) is PoolStopped
    assert "start() it to connect anew" in str(error)
    assert pool.statistics() == PoolStatistics(failed=4)
    await pool.stop()
    others = [record for record in caplog.records if record.name != "txremote"]
    assert not [record for record in others if record.levelno >= logging.WARNING]


@pytest_twisted.ensureDeferred
async def test_an_idle_pool_hears_that_its_scheduler_is_lost(doomed, stopping):
    """Though nobody waits for anything."""
    pool = stopping(DaskPool(reactor, doomed.address))
    await pool.start()
    with capturedLogs() as logged:
        doomed.scheduler.signal(signal.SIGKILL)
        await until(lambda: logged)
    error = await failure_of(pool.submit(abs, (1,)))
    assert type(error) is PoolStopped


@pytest_twisted.ensureDeferred
async def test_a_program_that_ends_needs_no_stop(cluster):
    """The reactor's shutdown stops the pool, and the interpreter does not wait for a thread."""
    program = (
        "import sys\n"
        "from twisted.internet import reactor\n"
        "from txremote.work.dask.pool import DaskPool\n"
        "pool = DaskPool(reactor, sys.argv[1])\n"
        "pool.start().addCallback(lambda _: pool.submit(abs, (-1,))).addCallback(print)"
        ".addBoth(lambda _: reactor.stop())\n"
        "reactor.run()\n"
        "print(pool)\n"
    )
    from tests.processes import run

    status, output, errors = await deferToThread(
        run, sys.executable, "-c", program, cluster.address
    )
    assert (status, output.splitlines()[0], errors) == (0, "1", "")
    assert "stopped" in output


def test_process_commands_are_refused_before_there_are_any() -> None:
    """A Dask worker cannot call back, which is said when the tasks are set up."""
    with pytest.raises(ValueError, match=r"those of dask:\S+ cannot: use a pool of processes"):
        TaskKeeper(pool="dask:tcp://127.0.0.1:1")


@each_loop
def test_an_asyncio_program_has_one_as_well(cluster, new_loop, tmp_path):
    """A result, an exception, a task that is cancelled, and no reactor."""
    address = f"dask:{cluster.address}"
    marks, go = tmp_path / "marks", tmp_path / "go"

    async def main():
        assert await run_async(pow, 2, 10, pool=address) == 1024
        with pytest.raises(ZeroDivisionError):
            await run_async(divmod, 1, 0, pool=address)
        waits = partial(run_async, jobs.mark_and_wait, pool=address)
        with pytest.raises(JobTimeout):
            await waits(marks, "late", go, proc_timeout=0.1)
        (pool,) = AsyncioLoop.current().pools.pools
        assert pool.description == address
        task = asyncio.ensure_future(waits(marks, "cancelled", go))
        await loop_until(lambda: pool.statistics().busy == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.statistics().abandoned == 2
        go.touch()

    threads = threading.active_count()
    with capturedLogs() as events:
        run(main, new_loop)
    assert [event["log_level"].name for event in events] == ["warn", "warn"]
    assert threading.active_count() <= threads


@pytest_twisted.ensureDeferred
async def test_the_context_of_a_trace_is_there_in_the_worker(pool):
    """The span of the job is the parent of what it begins."""
    with recording() as recorder:
        found = await pool.submit(seen)
    context = recorder.one("internal", "job seen").context
    assert found == (context.trace_id, context.span_id, True)
