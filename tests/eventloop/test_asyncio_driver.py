"""The seam for drivers, tried by a driver for asyncio of less than 150 lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.eventloop import asyncio_driver
from tests.processes import PATIENCE, ROOT


def test_asyncio_drives_connections_without_a_reactor() -> None:
    """Calls each way, served in the loop's thread and in a lane; nothing is left at the end."""
    words = [sys.executable, "-m", "tests.eventloop.asyncio_driver"]
    found = subprocess.run(words, cwd=ROOT, timeout=PATIENCE, capture_output=True, check=False)
    assert (found.stdout.decode().split("\n"), found.stderr) == (
        ["42", "42", "no reactor", ""],
        b"",
    )


def test_such_a_driver_is_small() -> None:
    text = Path(asyncio_driver.__file__).read_text("utf-8")
    assert len(text.splitlines()) < 150
