"""A file of 1 GiB to another process, whose reader takes 1 MiB/s for a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.streams.file_server import MIB
from tests.streams.sending import Sending, sending


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sending]:
    """Its server."""
    with sending(tmp_path_factory.mktemp("files"), 1 << 30) as server:
        yield server


@pytest.mark.parametrize("reader", ["reactor", "script", "aio"])
def test_a_large_file_to_a_slow_reader_takes_little_memory(reader: str, server: Sending) -> None:
    server.check(reader, 4 * MIB)
