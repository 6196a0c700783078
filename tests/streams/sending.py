"""A file from one process to another, and the memory that both take. Not a test file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Child, Stage
from tests.streams.file_server import MIB

#: What each end may take more than before the file. The server has a bound, whatever the reader
#: does; on a busy machine a reader gets more at once.
MOST_GROWTH = {"the server": 8 * MIB, "the reader": 16 * MIB}


def write_file(path: Path, size: int) -> str:
    """Write a file in which no MiB is like another; return its hash."""
    found = hashlib.sha256()
    block = os.urandom(MIB - 8)
    with path.open("wb") as file:
        for number in range(size // MIB):
            for part in (number.to_bytes(8), block):
                file.write(part)
                found.update(part)
    return found.hexdigest()


class Sending:
    """
    A server of files, and a folder with two: a large one, and a small one.

    Args:
        stage: Has the processes.
        folder: Where the files are.
        size: The bytes of the large one.
    """

    def __init__(self, stage: Stage, folder: Path, size: int) -> None:
        self._stage = stage
        self._server = stage.serve("tests.streams.file_server")
        self._large, self._small = str(folder / "large"), str(folder / "small")
        self._hash = write_file(Path(self._large), size)
        write_file(Path(self._small), MIB)

    def check(self, reader: str, slow: int) -> None:
        """
        Have a client of its own read the large file, and check what comes and how much more
        memory that takes at both ends.

        Args:
            reader: What the client is.
            slow: For how many bytes it takes 1 MiB/s.
        """
        client = self._stage.connect(f"tests.streams.{reader}_reader", self._server.first)
        client.ask("read", self._small, 0)  # what any first use takes
        ends = {"the server": self._server, "the reader": client}
        before = {name: _peak_begins(child) for name, child in ends.items()}
        assert client.ask("read", self._large, slow) == self._hash
        for name, child in ends.items():
            grown = (child.status("VmHWM") or 0) - before[name]
            assert grown <= MOST_GROWTH[name], f"{name} grew by {grown / MIB:.1f} MiB"


@contextmanager
def sending(folder: Path, size: int) -> Iterator[Sending]:
    """Give a server of a file of so many bytes, and remove that in the end."""
    with Stage() as stage:
        yield Sending(stage, folder, size)
    (folder / "large").unlink()


def _peak_begins(child: Child) -> int:
    assert child.reset_peak()
    return child.status("VmRSS") or 0
