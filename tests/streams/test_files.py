"""A file of some size to another process, whose reader is slow at first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.streams.file_server import MIB
from tests.streams.sending import Sending, sending


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sending]:
    """Its server."""
    with sending(tmp_path_factory.mktemp("files"), 64 * MIB) as server:
        yield server


@pytest.mark.parametrize("reader", ["reactor", "script"])
def test_a_file_takes_no_memory_of_its_size_at_either_end(reader: str, server: Sending) -> None:
    server.check(reader, MIB // 8)
