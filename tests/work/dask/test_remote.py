"""
What a pool sends to a Dask cluster, asked by Dask's own client.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.work.dask import jobs
from tests.work.dask.cluster import Cluster
from txremote.work.dask.remote import (
    DONE,
    NOT_MADE,
    NOT_SENT,
    RAISED,
    REFUSED,
    SHORT,
    TOPIC,
    job_registry,
    job_runner,
)
from txremote.work.pickling import dump_job, load_error, load_result

pytest.importorskip("distributed")


@contextmanager
def connected(address):
    """Give Dask's own client, that has brought the scheduler its part and listens."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.heard = []
        client.subscribe_topic(TOPIC, lambda event: client.heard.append(event[1]))
        client.register_plugin(job_registry())
        yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The client of a cluster that is left alone."""
    folder = tmp_path_factory.mktemp("dask")
    with Cluster(folder, workers=1) as running, connected(running.address) as found:
        yield found


@pytest.fixture
def doomed(tmp_path):
    """A cluster that is not, with two workers."""
    with Cluster(tmp_path) as running:
        yield running


def submit(client, function, *args, **options):
    """Send a call as a pool does."""
    payload, _references = dump_job(function, args, {}, "job")
    return client.submit(job_runner(), payload, pure=False, **options)


def outcome(client, future):
    """Return how a job has fared: what was sent ahead, or else its task's result."""
    result = future.result()
    for what, *about in client.heard:
        if what == "ended" and about[0] == future.key:
            assert result[0] == REFUSED
            return pickle.loads(about[1])
    return result


def test_a_job_comes_back_with_how_it_has_fared(client):
    """Dask sees a task that has ended well, whatever the job did."""
    kind, pickled = outcome(client, submit(client, abs, -1))
    assert (kind, load_result(pickled, (), "job")) == (DONE, 1)
    kind, *about = outcome(client, submit(client, jobs.lookup, {}, "nobody"))
    assert (kind, load_error(*about).value.args) == (RAISED, ("nobody",))
    kind, sentence, text = outcome(client, submit(client, jobs.unpicklable))
    assert (kind, sentence.partition(":")[0]) == (NOT_SENT, "a frame")
    assert "Traceback" in text
    kind, sentence, text = outcome(client, client.submit(job_runner(), b"what?", pure=False))
    assert kind == NOT_MADE
    assert "UnpicklingError" in sentence
    assert "UnpicklingError" in text


def test_a_long_result_is_fetched_and_a_short_one_sent_ahead(client):
    """The scheduler passes on what is little, and holds nothing of it."""
    short, long = submit(client, bytes, SHORT // 2), submit(client, bytes, SHORT)
    assert (short.result()[0], long.result()[0]) == (REFUSED, DONE)
    sent_ahead = {about[0] for what, *about in client.heard if what == "ended"}
    assert short.key in sent_ahead
    assert long.key not in sent_ahead


def test_what_dask_runs_again_is_refused(doomed, tmp_path):
    """A result was lost with its worker before it was fetched: Dask makes another."""
    marks = tmp_path / "marks"
    with connected(doomed.address) as client:
        future = submit(client, jobs.mark, marks, "one")
        assert outcome(client, future)[0] == DONE
        ((first,),) = client.who_has(future).values()
        doomed.kill_worker(first)
        assert future.result() == (REFUSED, f"it has begun before, in the worker {first}")
        assert client.heard[-1] == ("lost", future.key, first)
    assert marks.read_text().split() == ["one"]


def test_a_result_that_was_copied_in_time_is_not_lost(doomed):
    """A worker that retires gives its results to another first; nobody is told of a loss."""
    with connected(doomed.address) as client:
        future = submit(client, bytes, SHORT)
        assert outcome(client, future)[0] == DONE
        ((first,),) = client.who_has(future).values()
        client.retire_workers([first])
        assert future.result()[0] == DONE
        assert [what for what, *_about in client.heard] == ["started"]


def test_a_scheduler_with_its_part_keeps_it(client):
    """Another pool that brings it again does not make it forget what runs."""

    def claims(dask_scheduler):
        return list(dask_scheduler.plugins["txremote-1"].claims)

    future = submit(client, abs, -1, key="one")
    assert outcome(client, future)[0] == DONE
    client.register_plugin(job_registry())
    assert "one" in client.run_on_scheduler(claims)


def test_the_cluster_needs_nothing_of_txremote():
    """Both parts go by value, and use nothing of ours when they are there."""
    from distributed.protocol.pickle import dumps

    made = (
        "import pickle, sys\n"
        "for line in sys.stdin:\n"
        "    print(type(pickle.loads(bytes.fromhex(line))).__name__)\n"
        "assert not [name for name in sys.modules if name.startswith('txremote')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", made],
        input="".join(dumps(part).hex() + "\n" for part in (job_registry(), job_runner())),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["JobRegistry", "function"]), done.stderr
