"""Tasks that are cancelled, and loops that end: each call ends once, and nothing is left."""

from __future__ import annotations

import re
import sys

import pytest

from tests.aio.loops import LOOPS
from tests.aio.storm import check as checks
from tests.interop.peer_processes import Program, outcomes


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What the program said on each loop."""
    words = [sys.executable, "-W", "error::ResourceWarning", "-m", "tests.aio.storm"]
    running = {loop: Program([*words, loop]) for loop in LOOPS}
    try:
        for program in running.values():
            program.wait(90)  # it ends itself if it hangs, and says where
        return {loop: program.output for loop, program in running.items()}
    finally:
        for program in running.values():
            program.kill()


@pytest.mark.parametrize("name", checks)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_left(said: dict[str, str], loop: str, name: str) -> None:
    """Each check of the program."""
    outcome = outcomes(said[loop]).get(name, said[loop])
    assert not outcome, outcome


@pytest.mark.parametrize("loop", LOOPS)
def test_no_reactor_was_needed_and_nothing_was_complained_about(
    said: dict[str, str], loop: str
) -> None:
    # a server that stops under way, and asyncio's words for one more answer to a client that has
    # just gone
    known = re.compile(r"ok: |Weather is stopping, and cuts |socket\.send\(\) raised exception\.$")
    assert [line for line in said[loop].splitlines() if not known.match(line)] == ["no reactor"]
