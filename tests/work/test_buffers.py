"""
Large values of jobs in real processes: they arrive as they were, each side has its own, and their
memory is given back, whatever becomes of the job.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError

from tests.work import jobs
from tests.work.child_processes import outcome_of, outcomes_of, running_pool, until
from txremote import live
from txremote.errors import JobTimeout, WorkerDied
from txremote.work.buffers import LEAST, Buffers
from txremote.work.processes import ProcessPool
from txremote.work.sharedmemory import SharedMemory

np = pytest.importorskip("numpy")

MANY = LEAST // 8 + 100  # numbers of 8 bytes that are a large buffer


def used(pool: ProcessPool) -> int:
    """Return the shared memory that a pool and its processes take."""
    memories = [pool.large_jobs, *(w._results.memory for w in pool._workers.active)]
    return sum(memory.used() for memory in memories if memory is not None)


def fortran() -> Any:
    return np.asfortranarray(np.arange(MANY * 2.0).reshape(2, MANY))


def read_only() -> Any:
    array = np.arange(MANY)
    array.flags.writeable = False
    return array


def structured() -> Any:
    return np.zeros(MANY, dtype=[("number", "<i4"), ("name", "S4")])


ARRAYS: dict[str, Callable[[], Any]] = {
    "C": lambda: np.arange(MANY),
    "Fortran": fortran,
    "read-only": read_only,
    "structured": structured,
    "big-endian": lambda: np.arange(MANY, dtype=">f8"),
    "strided": lambda: np.arange(MANY * 2)[::2],
    "empty": lambda: np.zeros((0, 5)),
    "no dimension": lambda: np.array(5.5),
    "objects": lambda: np.array(["x" * LEAST, None], dtype=object),
    "dates": lambda: np.arange(MANY).astype("datetime64[s]"),
    "small": lambda: np.arange(3),
    "of huge pages": lambda: np.arange(1 << 20),
}


def told(array: Any) -> tuple[Any, ...]:
    """Return what an array looks like to the process that has it, and change it if it may."""
    seen = (array.dtype.str, array.shape, array.flags.writeable, array.tobytes())
    if array.flags.writeable and array.size:
        array.reshape(-1)[:1] = array.reshape(-1)[-1:]
    return seen


def told_both(array: Any) -> tuple[Any, Any]:
    return told(array), array


@pytest_twisted.ensureDeferred
async def test_arrays_arrive_as_they_were_and_are_the_receivers_own() -> None:
    """There and back, writable where they were; what the job changes is changed there only."""
    async with running_pool() as pool:
        for name, make in ARRAYS.items():
            array = make()
            before = array.tobytes()
            seen, back = await pool.submit(told_both, (array,))
            if name != "objects":  # whose bytes are addresses
                assert seen == (array.dtype.str, array.shape, array.flags.writeable, before), name
                assert array.tobytes() == before, name
            assert (back.dtype, back.shape) == (array.dtype, array.shape), name
            assert back.flags.writeable == array.flags.writeable, name
            assert back.flags.f_contiguous == array.flags.f_contiguous or name == "strided", name
            assert used(pool) == 0, name


def keep(first: Any, second: Any, *, nested: Any, tell: Any = None) -> Any:
    if tell is not None:
        tell(len(nested["in"][0]))
    return first is second, nested["in"][0] is first, [first, first, {"again": second}]


@pytest_twisted.ensureDeferred
async def test_the_same_array_stays_the_same_and_live_stands_beside() -> None:
    """In arguments, keywords and results; by the plain pickler and by cloudpickle's."""
    array = np.arange(MANY)
    lengths: list[int] = []
    async with running_pool() as pool:
        for function in (keep, lambda *args, **kwargs: keep(*args, **kwargs)):
            for tell in (None, live(lengths.append)):
                call = (array, array), {"nested": {"in": [array]}, "tell": tell}
                same, nested, back = await pool.submit(function, *call)
                assert same
                assert nested
                assert back[0] is back[1] is back[2]["again"]
                assert (back[0] == array).all()
        assert lengths == [MANY, MANY]
        assert (await pool.submit(lambda: array.sum())) == array.sum()  # in a closure
        assert used(pool) == 0


@pytest.mark.parametrize("size", [LEAST - 1, 3 * LEAST])
@pytest_twisted.ensureDeferred
async def test_bytes_and_what_holds_them(size: int) -> None:
    """They have no buffers of their own: their pickle goes by shared memory when it is large."""
    async with running_pool() as pool:
        for value in (b"x" * size, bytearray(b"y" * size), ["z" * size, {"in": b"x" * size}]):
            back = await pool.submit(jobs.same, (value,))
            assert back == value
            assert type(back) is type(value)
            back = await pool.submit(lambda value, add: add(value, value), (value, jobs.add))
            assert back == value + value  # type: ignore[operator]
        assert used(pool) == 0


@pytest_twisted.ensureDeferred
async def test_frames_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"number": np.arange(MANY), "half": np.arange(MANY) / 2, "name": ["x"] * MANY}
    )
    async with running_pool() as pool:
        back = await pool.submit(jobs.same, (frame,))
        pandas.testing.assert_frame_equal(back, frame)
        back.loc[0, "half"] = 5.5
        assert used(pool) == 0


@pytest_twisted.ensureDeferred
async def test_a_job_has_its_arguments_as_they_were_when_it_was_given() -> None:
    array = np.ones(MANY)
    async with running_pool() as pool:
        waits = pool.submit(jobs.nap, (0.05,))
        summed = pool.submit(np.sum, (array,))
        array[:] = 7
        assert await summed == MANY
        await waits


@pytest_twisted.ensureDeferred
async def test_memory_is_given_back_whatever_becomes_of_the_job() -> None:
    """Cancelled before and while it runs, failed, over its time, its process killed."""
    array = np.arange(MANY)
    async with running_pool() as pool:
        running = pool.submit(jobs.nap, (60, array))
        waiting = [pool.submit(jobs.same, (array,)) for _ in range(40)]  # given, and not
        one = used(pool) // 41
        assert one >= array.nbytes
        for number, deferred in enumerate(reversed(waiting)):
            found = outcome_of(deferred)
            deferred.cancel()
            assert isinstance(await found, CancelledError)
            assert used(pool) == one * (40 - number)
        found = outcome_of(running)
        running.cancel()
        assert isinstance(await found, CancelledError)
        late = await outcome_of(pool.submit(jobs.nap, (60, array), None, 0.05))
        assert isinstance(late, JobTimeout)
        assert isinstance(await outcome_of(pool.submit(jobs.throw, (array,))), TypeError)
        killed = pool.submit(lambda _array: os.kill(os.getpid(), signal.SIGKILL), (array,))
        assert isinstance(await outcome_of(killed), WorkerDied)
        await until(lambda: used(pool) == 0)
        assert (await pool.submit(jobs.same, (array,)) == array).all()


@pytest_twisted.ensureDeferred
async def test_jobs_that_are_taken_back_have_their_arrays_in_another_process() -> None:
    """What waits behind a long job goes to the process that is idle."""
    arrays = [np.full(MANY, number) for number in range(20)]
    async with running_pool(2) as pool:
        long = [pool.submit(jobs.nap, (seconds,)) for seconds in (1.0, 0.01)]
        sums = await outcomes_of([pool.submit(np.sum, (array,)) for array in arrays])
        assert sums == [number * MANY for number in range(20)]
        await outcomes_of(long)
        assert used(pool) == 0


def limit_files() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))


@pytest.mark.parametrize("where", ["the parent", "the child", "both"])
@pytest_twisted.ensureDeferred
async def test_where_memory_cannot_be_shared_the_pipe_is_used(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where != "the child":
        monkeypatch.setattr(SharedMemory, "create", staticmethod(lambda: None))
    async with running_pool() as pool:
        if where == "the child":
            await pool.submit(limit_files)
        for value in (np.arange(MANY), b"x" * 2 * LEAST, [np.arange(MANY)] * 2):
            back = await pool.submit(jobs.same, (value,))
            assert pickle.dumps(back) == pickle.dumps(value)
        assert used(pool) == 0


def fork_and_return(array: Any) -> Any:
    """Come back twice, with different arrays: that of the copy is nobody's result."""
    if os.fork():
        os.wait()
        return array
    return array + 1


@pytest_twisted.ensureDeferred
async def test_a_job_that_forks_has_one_result() -> None:
    array = np.arange(MANY)
    async with running_pool() as pool:
        for _ in range(3):
            assert (await pool.submit(fork_and_return, (array,)) == array).all()


def test_small_buffers_stay_in_the_pickle() -> None:
    buffers = Buffers()
    value = [np.zeros(LEAST // 8 - 1), np.zeros(LEAST // 8)]
    payload = pickle.dumps(value, 5, buffer_callback=buffers.take)
    assert [view.nbytes for view in buffers] == [LEAST]
    assert LEAST <= len(payload) + 8 < LEAST + 1000
    assert len(pickle.loads(payload, buffers=buffers)[1]) == LEAST // 8
