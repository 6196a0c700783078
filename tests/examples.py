"""How many examples hypothesis, and a test with a seed, tries. Not a test file."""

from __future__ import annotations

import os


def examples(many: int) -> int:
    """Return a quarter of a number, or all of it with ``TXREMOTE_LONG=1``, as in ``nox``."""
    return many if os.environ.get("TXREMOTE_LONG") else max(many // 4, 10)
