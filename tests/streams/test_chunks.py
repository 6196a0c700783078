"""A binary file in pieces."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from txremote.streams.chunks import CHUNK, FileChunks, may_wait


def test_the_rest_of_a_file_comes_in_pieces_and_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    file = path.open("rb")
    file.seek(1)
    assert list(FileChunks(file, 4)) == [b"1234", b"5678", b"9"]
    assert file.closed


@pytest.mark.parametrize(
    ("asked", "room", "longest"), [(None, 100, 100), (None, 10 * CHUNK, CHUNK), (2000, 100, 2000)]
)
def test_pieces_fit_the_readers_room_if_no_length_was_asked_for(
    asked: int | None, room: int, longest: int
) -> None:
    chunks = FileChunks(io.BytesIO(bytes(2 * CHUNK)), asked)
    chunks.fit(room)
    assert len(next(chunks)) == longest


def test_closing_it_early_closes_the_file_and_ends_it() -> None:
    file = io.BytesIO(b"0123456789")
    chunks = FileChunks(file, 4)
    assert next(chunks) == b"0123"
    chunks.close()
    assert file.closed
    assert list(chunks) == []


def test_only_pipes_and_the_like_may_have_to_be_waited_for(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    reader, writer = os.pipe()
    with open(reader, "rb") as pipe, (tmp_path / "data").open("rb") as regular:
        assert may_wait(pipe)
        assert not may_wait(regular)
        assert not may_wait(io.BytesIO())
        os.write(writer, b"now")
        assert next(FileChunks(pipe, 1000)) == b"now"  # what is there
        os.close(writer)


def test_a_file_that_gives_no_bytes_is_refused() -> None:
    class Wrong:
        def read(self, size: int) -> Any:
            return "text"

        def close(self) -> None:
            closed.append(self)

    closed: list[Wrong] = []
    with pytest.raises(TypeError, match="not bytes"):
        next(FileChunks(Wrong(), 4))
    assert len(closed) == 1


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_pipe_that_does_not_block_is_refused_for_it_would_seem_to_end(buffering: int) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with open(reader, "rb", buffering=buffering) as pipe:
        with pytest.raises(ValueError, match=r"os\.set_blocking"):
            FileChunks(pipe, 1000)
        os.close(writer)


def test_a_file_that_turns_out_not_to_block_fails_its_stream_and_is_closed() -> None:
    class Empty(io.BytesIO):
        def read(self, size: int | None = -1, /) -> Any:
            return None

    file = Empty()
    with pytest.raises(BlockingIOError):
        next(FileChunks(file, 4))
    assert file.closed


def test_a_socket_with_a_time_out_waits_for_its_bytes() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(60)
        there.sendall(b"now")
        assert next(FileChunks(here.makefile("rb"), 1000)) == b"now"
