"""Runs `job_checks` in a real game, and tells the tests how each of them went."""

from __future__ import annotations

import fcntl
import json
import os
import re
from pathlib import Path

import pytest

from tests.contrib.evennia.game import Game

HERE = Path(__file__).parent

RUN = f"import sys; sys.path.insert(0, {str(HERE)!r}); import job_checks; job_checks.main()"


def results_of_checks(factory: pytest.TempPathFactory) -> dict[str, str]:
    """
    Return by name "" for each check that passed, and for others what was printed.

    They run once, for all files of tests and all processes of one run: a game takes seconds.
    """
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    kept = shared / "job_checks.json"
    with (shared / "job_checks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(_run(factory.mktemp("game"))))
    results: dict[str, str] = json.loads(kept.read_text())
    return results


def _run(folder: Path) -> dict[str, str]:
    with Game(folder) as game:
        printed = game.command("python", "-c", RUN, timeout=240)
    passed = dict.fromkeys(re.findall(r"^PASSED (\w+)", printed, re.MULTILINE), "")
    return passed | dict.fromkeys(re.findall(r"^FAILED (\w+)", printed, re.MULTILINE), printed)
