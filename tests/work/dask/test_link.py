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

PATIENCE = 20.0
ABS = dump_job(abs, (-1,), {}, "abs")[0]


class Owner:
    """Writes down what it is told, and in which thread."""

    def __init__(self):
        self.told = []
        self.threads = set()

    def __getattr__(self, name):
        if name not in vars(dask_link.Owner):
            raise AttributeError(name)
        return lambda *about: self._take(name, *about)

    def _take(self, *what):
        self.threads.add(threading.get_ident())
        self.told.append(what)

    async def hears(self, name, count=1):
        """Wait until it was told something so often; return what."""
        end = reactor.seconds() + PATIENCE
        while len(found := [about for what, *about in self.told if what == name]) < count:
            assert reactor.seconds() < end, self.told
            await deferLater(reactor, 0.01)
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and a worker."""
    with Cluster(tmp_path_factory.mktemp("dask"), workers=1) as running:
        yield running


@pytest.fixture
def owner():
    """Who is told."""
    return Owner()


@pytest.fixture
def link(cluster, owner):
    """A link that was started."""
    link = ClusterLink(reactor, cluster.address, PATIENCE, owner)
    link.start()
    yield link
    pytest_twisted.blockon(link.stop())


@pytest_twisted.ensureDeferred
async def test_all_is_told_in_the_reactors_thread_and_in_order(link, owner):
    """How many threads there are, that it is connected, that a job begins, that it has ended."""
    link.submit("one", ABS)
    ((key, outcome),) = await owner.hears("job_ended")
    assert (key, outcome[0]) == ("one", DONE)
    assert [what for what, *_about in owner.told] == [
        "cluster_has",
        "link_up",
        "job_started",
        "job_ended",
    ]
    assert owner.threads == {threading.get_ident()}


@pytest_twisted.ensureDeferred
async def test_more_jobs_than_go_into_one_graph(link, owner, monkeypatch):
    """They go in several, by number and by size."""
    monkeypatch.setattr(dask_link, "MOST_JOBS", 3)
    monkeypatch.setattr(dask_link, "MOST_BYTES", 2 * len(ABS))
    keys = [f"many-{number}" for number in range(20)]
    for key in keys:
        link.submit(key, ABS)
    ended = await owner.hears("job_ended", len(keys))
    assert sorted(key for key, _outcome in ended) == sorted(keys)


@pytest_twisted.ensureDeferred
async def test_what_is_taken_back_before_it_was_handed_on_is_never_sent(link, owner):
    """The scheduler does not hear of it."""
    link.submit("back", ABS)
    link.cancel("back")
    link.cancel("nobody knows it")
    link.submit("kept", ABS)
    await owner.hears("job_ended")
    assert {about[0] for what, *about in owner.told if what.startswith("job_")} == {"kept"}


@pytest_twisted.ensureDeferred
async def test_nothing_is_told_after_stop(cluster, owner):
    """Whatever was on its way; and its thread has ended."""
    link = ClusterLink(reactor, cluster.address, PATIENCE, owner)
    link.start()
    await owner.hears("link_up")
    link.submit("one", ABS)
    before = list(owner.told)
    await link.stop()
    assert owner.told == before
    assert not link._thread.is_alive()
    link.submit("two", ABS)  # nobody takes it, and nobody minds
    assert link.stop().called


@pytest_twisted.ensureDeferred
async def test_stop_at_once_after_start(cluster, owner):
    """Before the thread has done anything at all."""
    link = ClusterLink(reactor, cluster.address, PATIENCE, owner)
    link.start()
    await link.stop()
    assert not owner.told


@pytest_twisted.ensureDeferred
async def test_a_package_that_cannot_be_imported_is_told(owner, monkeypatch):
    """Anything that happens in the thread ends with a sentence here."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    link = ClusterLink(reactor, "tcp://127.0.0.1:1", PATIENCE, owner)
    link.start()
    ((why,),) = await owner.hears("link_down")
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
