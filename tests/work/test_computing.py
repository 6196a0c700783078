"""
Work of seconds on arrays, whose progress a user sees: the page's job, with scikit-learn and tqdm.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytest_twisted

from tests.document_runner import shown_code
from tests.processes import ROOT
from tests.work.child_processes import running_pool
from txremote import live


class Screen:
    """A user's screen."""

    def __init__(self) -> None:
        self.shown = ""

    def write(self, text: str) -> None:
        self.shown += text

    def flush(self) -> None:
        pass


@pytest_twisted.ensureDeferred
async def test_a_user_sees_the_bar_of_a_training_in_a_process() -> None:
    """The bar goes to the end, and the model is trained."""
    np = pytest.importorskip("numpy")
    # here: its import takes seconds, and each process that runs tests reads all files of them
    pytest.importorskip("sklearn", reason="no scikit-learn (pip install scikit-learn)")
    pytest.importorskip("tqdm", reason="tqdm is not installed (pip install tqdm)")
    scope: dict[str, Any] = {"__name__": "__main__"}  # a user's program
    code = shown_code(ROOT / "docs" / "pools.rst", "Show the progress of a computation")[0]
    exec(code, scope)
    samples = np.random.default_rng(1).normal(size=(50_000, 8))
    labels = (samples[:, 0] > 0).astype(int)
    screen = Screen()
    async with running_pool() as pool:
        model = await pool.submit(scope["train"], (samples, labels, live(screen)))
    bars = re.findall(r"training: +(\d+)%\|", screen.shown)
    assert bars[0] == "0"
    assert bars[-1] == "100"
    assert model.score(samples, labels) > 0.95
