"""
The link to a Dask cluster: one thread to another, and what each may rely on.
"""

from __future__ import annotations

import sys
import threading

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.work.dask.cluster import Cluster
from txremote.work.dask import link as dask_link
from txremote.work.dask.link import ClusterLink, check_python
from txremote.work.dask.remote import DONE
from txremote.work.pickling import dump_job

pytest.importorskip("distributed")

PATIENCE = 60.0
ABS = dump_job(abs, (-1,), {}, "abs")[0]


class SeenEvents:
    """Notes each event, and its thread."""

    def __init__(self):
        self.seen = []
        self.threads = set()

    def __getattr__(self, name):
        if name not in vars(dask_link.LinkEvents):
            raise AttributeError(name)
        return lambda *about: self._take(name, *about)

    def _take(self, *what):
        self.threads.add(threading.get_ident())
        self.seen.append(what)

    async def wait_for(self, name, count=1):
        """Wait until an event has come that often; return the arguments of each."""
        end = reactor.seconds() + PATIENCE
        while len(found := [about for what, *about in self.seen if what == name]) < count:
            assert reactor.seconds() < end, self.seen
            await deferLater(reactor, 0.01)
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and a worker."""
    with Cluster(tmp_path_factory.mktemp("dask"), workers=1) as running:
        yield running


@pytest.fixture
def events():
    """The seen events."""
    return SeenEvents()


@pytest.fixture
def link(cluster, events):
    """A link that was started."""
    link = ClusterLink(reactor, cluster.address, PATIENCE, events)
    link.start()
    yield link
    pytest_twisted.blockon(link.stop())


@pytest_twisted.ensureDeferred
async def test_all_is_told_in_the_reactors_thread_and_in_order(link, events):
    """How many threads there are, that it is connected, that a job begins, that it has ended."""
    link.submit("one", ABS)
    ((key, outcome),) = await events.wait_for("job_ended")
    assert (key, outcome[0]) == ("one", DONE)
    assert [what for what, *_about in events.seen] == [
        "cluster_has",
        "link_up",
        "job_started",
        "job_ended",
    ]
    assert events.threads == {threading.get_ident()}


@pytest_twisted.ensureDeferred
async def test_more_jobs_than_go_into_one_graph(link, events, monkeypatch):
    """They go in several, by number and by size."""
    monkeypatch.setattr(dask_link, "MOST_JOBS", 3)
    monkeypatch.setattr(dask_link, "MOST_BYTES", 2 * len(ABS))
    keys = [f"many-{number}" for number in range(20)]
    for key in keys:
        link.submit(key, ABS)
    ended = await events.wait_for("job_ended", len(keys))
    assert sorted(key for key, _outcome in ended) == sorted(keys)


@pytest_twisted.ensureDeferred
async def test_what_is_taken_back_before_it_was_handed_on_is_never_sent(link, events):
    """The scheduler does not hear of it."""
    link.submit("back", ABS)
    link.cancel("back")
    link.cancel("nobody knows it")
    link.submit("kept", ABS)
    await events.wait_for("job_ended")
    assert {about[0] for what, *about in events.seen if what.startswith("job_")} == {"kept"}


@pytest_twisted.ensureDeferred
async def test_nothing_is_told_after_stop(cluster, events):
    """Whatever was on its way; and its thread has ended."""
    link = ClusterLink(reactor, cluster.address, PATIENCE, events)
    link.start()
    await events.wait_for("link_up")
    link.submit("one", ABS)
    before = list(events.seen)
    await link.stop()
    assert events.seen == before
    assert not link._thread.is_alive()
    link.submit("two", ABS)  # nobody takes it, and nobody minds
    assert link.stop().called


@pytest_twisted.ensureDeferred
async def test_stop_at_once_after_start(cluster, events):
    """Before the thread has done anything at all."""
    link = ClusterLink(reactor, cluster.address, PATIENCE, events)
    link.start()
    await link.stop()
    assert not events.seen


@pytest_twisted.ensureDeferred
async def test_a_package_that_cannot_be_imported_is_told(events, monkeypatch):
    """Anything that happens in the thread ends with a sentence here."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    link = ClusterLink(reactor, "tcp://127.0.0.1:1", PATIENCE, events)
    link.start()
    ((why,),) = await events.wait_for("link_down")
    assert "distributed" in why
    stopped = link.stop()
    assert isinstance(stopped, Deferred)
    await stopped


def test_another_python_is_refused():
    """Code goes to the scheduler as Python compiles it; another Python would run something else."""
    ours = ".".join(map(str, sys.version_info[:3]))
    check_python(f"{ours}.final.0")
    with pytest.raises(RuntimeError, match=r"the scheduler runs Python 2\.7\.18, and this is 3"):
        check_python("2.7.18")
