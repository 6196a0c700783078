"""A Redis for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.buses.redis_server import RedisServer


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """One that is there from the first test that needs it to the file's last."""
    with RedisServer() as server:
        yield server
