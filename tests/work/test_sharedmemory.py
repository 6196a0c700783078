"""
Shared memory: what is put is had, everybody has their own copy, and nothing is left.
"""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from txremote.work.sharedmemory import SharedMemory, Stored

MIB = 1 << 20


@pytest.fixture
def memory() -> Iterator[SharedMemory]:
    made = SharedMemory.create()
    if made is None:
        pytest.skip("this system has no files that are only memory")
    yield made
    made.close()


@pytest.mark.parametrize("size", [1, 4096, 300_000, 5 * MIB + 1])
def test_what_is_put_is_taken(memory: SharedMemory, size: int) -> None:
    """Whatever its size: a view of the first part, copies of the others, in their order."""
    first, second, third = (os.urandom(size) for _ in range(3))
    place = memory.put([first, memoryview(bytearray(second)), third])
    assert place is not None
    taken, copies = memory.take(place)
    assert bytes(taken) == first
    assert [bytes(copy) for copy in copies] == [second, third]
    assert [copy.readonly for copy in copies] == [False, True]
    copies[0][0] ^= 1  # whoever changes a copy changes nothing else
    assert bytes(memory.take(place)[1][0]) == second


def test_the_sender_may_change_what_it_has_put(memory: SharedMemory) -> None:
    value = bytearray(b"a" * MIB)
    place = memory.put([b"", memoryview(value)])
    value[:] = b"b" * MIB
    assert place is not None
    assert memory.take(place)[1][0] == b"a" * MIB


def test_memory_is_given_back_in_any_order(memory: SharedMemory) -> None:
    """Places are told apart, also those that do not fill their pages."""
    places = [memory.put([b"%d" % number * 5000]) for number in range(8)]
    for freed in (0, 7, 3, 4):
        place = places[freed]
        assert place is not None
        memory.free(place)
    assert memory.used() == 4 * 8192
    for number in (1, 2, 5, 6):
        place = places[number]
        assert place is not None
        assert memory.take(place)[0] == b"%d" % number * 5000
        memory.free(place)
    assert memory.used() == 0


def test_results_are_given_back_with_all_before_them(memory: SharedMemory) -> None:
    """One that was never asked for is gone when the next has been."""
    _never, second = memory.put([b"1" * 5000]), memory.put([b"2" * 5000])
    assert second is not None
    memory.free_until(second)
    assert memory.used() == 0
    third = memory.put([b"3" * 5000])
    assert third is not None
    assert memory.take(third)[0] == b"3" * 5000
    memory.free_until(third)
    assert memory.used() == 0


def test_a_value_is_given_back_once_and_when_nobody_has_it(memory: SharedMemory) -> None:
    place = memory.put([b"x" * MIB])
    assert place is not None
    stored = Stored(memory, place)
    stored.release()
    assert memory.used() == 0
    other = memory.put([b"y" * MIB])
    assert other is not None
    stored.release()
    assert memory.take(other)[0] == b"y" * MIB
    forgotten = Stored(memory, other)
    del forgotten
    assert memory.used() == 0


def test_the_file_has_no_name(memory: SharedMemory) -> None:
    """So nothing is left of it when its processes are gone, however they ended."""
    assert os.fstat(memory.descriptor).st_nlink == 0
    assert not os.get_inheritable(memory.descriptor)


def test_what_is_closed_takes_nothing_and_touches_no_other_file(memory: SharedMemory) -> None:
    place = memory.put([b"x" * MIB])
    assert place is not None
    stored, number = Stored(memory, place), memory.descriptor
    with tempfile.TemporaryFile() as other:
        memory.close()
        memory.close()
        assert memory.put([b"more"]) is None
        os.dup2(other.fileno(), number)  # the number is another file's now
        try:
            other.write(b"kept" * MIB)
            other.flush()
            stored.release()
            memory.free(place)
            other.seek(0)
            assert other.read() == b"kept" * MIB
        finally:
            os.close(number)


def test_a_copy_of_the_process_gives_nothing_back(memory: SharedMemory) -> None:
    """A program may fork: what its copy forgets, the program has still."""
    place = memory.put([b"x" * MIB])
    assert place is not None
    stored = Stored(memory, place)
    if not (pid := os.fork()):
        stored.release()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert memory.take(place)[0] == b"x" * MIB


def test_what_cannot_be_taken_leaves_nothing(memory: SharedMemory) -> None:
    """A limit on the size of files stands for all that may go wrong while it is written."""
    before = memory.put([b"before" * 1000])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        assert memory.put([b"first", b"x" * 2 * MIB]) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert before is not None
    assert memory.take(before)[0] == b"before" * 1000
    memory.free(before)
    assert memory.used() == 0
    assert memory.put([b"x" * 2 * MIB]) is not None


def test_no_more_is_put_than_may_wait() -> None:
    """But one value of any size is, when nothing else waits."""
    made = SharedMemory.create()
    if made is None:
        pytest.skip("this system has no files that are only memory")
    sender = SharedMemory.inherited(os.dup(made.descriptor), MIB)
    assert sender is not None
    first = sender.put([b"x" * 2 * MIB])
    assert first is not None
    assert sender.put([b"y"]) is None
    made.free_until(first)
    assert sender.put([b"y"]) is not None
    sender.close()
    made.close()


def test_a_place_that_is_not_there_is_an_error(memory: SharedMemory) -> None:
    with pytest.raises(OSError, match="shorter than its sender said"):
        memory.take((0, ((10, True),)))


def test_a_system_without_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a process without descriptors: there is no shared memory, and that is all."""

    def fails(*_args: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", fails, raising=False)
    assert SharedMemory.create() is None
    with open(os.devnull, "rb") as nothing:
        assert SharedMemory.inherited(nothing.fileno()) is None
