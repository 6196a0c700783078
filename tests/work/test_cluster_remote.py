"""
What a pool sends to a Dask cluster, asked by Dask's own client.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from tests.work import dask_jobs as jobs
from tests.work.dask_cluster import Cluster
from txremote.work.cluster_remote import (
    DONE,
    NOT_MADE,
    NOT_SENT,
    RAISED,
    REFUSED,
    TOPIC,
    job_registry,
    job_runner,
)
from txremote.work.pickling import dump_job, load_error, load_result

pytest.importorskip("distributed")


@pytest.fixture
def cluster(tmp_path):
    """
    A scheduler and two workers.
    """
    with Cluster(tmp_path) as running:
        yield running


@pytest.fixture
def client(cluster):
    """
    Dask's own client, that has brought the scheduler its part.
    """
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as found:
        found.heard = []
        found.subscribe_topic(TOPIC, lambda event: found.heard.append(event[1]))
        found.register_plugin(job_registry())
        yield found


def submit(client, function, *args, **options):
    """
    Send a call as a pool does.
    """
    payload, _references = dump_job(function, args, {}, "job")
    return client.submit(job_runner(), payload, pure=False, **options)


def test_a_job_comes_back_with_how_it_has_fared(client):
    """Dask sees a task that has ended well, whatever the job did."""
    kind, pickled = submit(client, abs, -1).result()
    assert (kind, load_result(pickled, (), "job")) == (DONE, 1)
    kind, *about = submit(client, jobs.lookup, {}, "nobody").result()
    assert (kind, load_error(*about).value.args) == (RAISED, ("nobody",))
    kind, sentence, text = submit(client, jobs.unpicklable).result()
    assert (kind, sentence.partition(":")[0]) == (NOT_SENT, "a frame")
    assert "Traceback" in text
    kind, sentence, text = client.submit(job_runner(), b"what?", pure=False).result()
    assert kind == NOT_MADE
    assert "UnpicklingError" in sentence
    assert "UnpicklingError" in text


def test_what_dask_runs_again_is_refused(client, cluster, tmp_path):
    """A result was lost with its worker before it was fetched: Dask makes another."""
    marks = tmp_path / "marks"
    future = submit(client, jobs.mark, marks, "one")
    assert future.result()[0] == DONE
    ((first,),) = client.who_has(future).values()
    cluster.kill_worker(first)
    assert future.result() == (REFUSED, f"it has begun before, in the worker {first}")
    assert Counter(marks.read_text().split()) == {"one": 1}


def test_a_result_that_was_copied_in_time_is_not_lost(client, cluster):
    """A worker that retires gives its results to another first; nobody is told of a loss."""
    future = submit(client, abs, -1)
    assert future.result()[0] == DONE
    ((first,),) = client.who_has(future).values()
    client.retire_workers([first])
    assert future.result()[0] == DONE
    assert [what for what, *_about in client.heard] == ["started"]


def test_a_scheduler_with_its_part_keeps_it(client, cluster):
    """Another pool that brings it again does not make it forget what runs."""

    def claims(dask_scheduler):
        return list(dask_scheduler.plugins["txremote-1"].claims)

    future = submit(client, abs, -1, key="one")
    assert future.result()[0] == DONE
    client.register_plugin(job_registry())
    assert client.run_on_scheduler(claims) == ["one"]


def test_the_cluster_needs_nothing_of_txremote():
    """What goes there goes by value, and makes use of nothing of ours when it is there."""
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
