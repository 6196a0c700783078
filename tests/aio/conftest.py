"""What the tests for asyncio have in common."""

from __future__ import annotations

import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def garbage_of_other_tests_is_gone() -> None:
    """`tests.aio.loops.run_in` makes errors of what was not closed: only of theirs."""
    gc.collect()
