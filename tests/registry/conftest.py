"""A Redis that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.registry.servers import Redis


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """One that all tests share, but for those that kill theirs. It wants a password."""
    with Redis(tmp_path_factory.mktemp("redis"), password="s3cret") as running:
        yield running
