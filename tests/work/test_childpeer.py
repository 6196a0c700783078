"""
The object that a worker process offers its parent as a peer. The connection is tested with real
processes, in test_child.py.
"""

from __future__ import annotations

from txremote.work.childpeer import JobReceiver
from txremote.work.plainjobs import JobDesk


def test_parts() -> None:
    """A large payload is put together, and parts of a job that never came go."""
    desk = JobDesk()
    receiver = JobReceiver(desk)
    receiver.part(1, b"never ")
    receiver.part(2, b"one ")
    receiver.part(2, b"two ")
    receiver.submit(2, "job", False, b"three", "reference")
    job, _dropped = desk.take(2, lambda: None)
    receiver.forget_until(2)
    assert job is not None
    assert (job.payload, job.references) == (b"one two three", ("reference",))
    assert receiver._parts == {}


def test_a_job_that_could_not_be_sent() -> None:
    """It is there, for its ticket is, and has nothing to run."""
    desk = JobDesk()
    receiver = JobReceiver(desk)
    receiver.part(1, b"some")
    receiver.drop(1)
    job, _dropped = desk.take(1, lambda: None)
    assert job is not None
    assert job.payload is None
    assert receiver._parts == {}
