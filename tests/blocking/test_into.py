"""`stream_into` of scripts."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.blocking.script_threads import linked, scripted, wait_until
from tests.peer.test_into import Consumer
from txremote.blocking import Service, exposed, stream, stream_into

PIECES = [bytes([number]) * 5000 for number in range(200)]


class Source(Service):
    """Gives pieces."""

    def __init__(self) -> None:
        self.ends = 0

    def _pieces(self) -> Iterator[bytes]:
        try:
            while True:
                yield from PIECES
        finally:
            self.ends += 1

    @exposed
    def pieces(self) -> Any:
        return stream(PIECES)

    @exposed
    def endless(self) -> Any:
        return stream(self._pieces())

    @exposed
    def into(self, source: Any, path: str) -> int:
        with Path(path).open("wb") as file:
            return stream_into(source, file)


@scripted
def test_a_script_writes_a_stream_to_a_file_and_so_does_a_method_of_a_service(
    tmp_path: Path,
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    with linked(Source()) as conn:
        with mine.open("wb", buffering=0) as file:
            assert stream_into(conn.root.pieces(), file) == sum(map(len, PIECES))
        assert conn.root.into(stream(PIECES), str(theirs)) == sum(map(len, PIECES))
    assert mine.read_bytes() == theirs.read_bytes() == b"".join(PIECES)


@scripted
def test_a_file_that_fails_leaves_the_stream() -> None:
    source = Source()
    with linked(source) as conn, open("/dev/full", "wb", buffering=0) as full:
        with pytest.raises(OSError, match="No space left"):
            stream_into(conn.root.endless(), full)
        conn.ping()  # what was on its way is read
        wait_until(lambda: source.ends == 1)


@pytest.mark.parametrize("sink", [5, io.StringIO(), Consumer(), asyncio.StreamWriter])
def test_what_a_script_cannot_write_to_is_refused(sink: Any) -> None:
    with pytest.raises(TypeError):
        stream_into([b"part"], sink)
    with pytest.raises(TypeError, match="bytes is no stream"):
        stream_into(b"whole", io.BytesIO())
