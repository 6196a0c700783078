"""What limited sources could leave behind."""

from __future__ import annotations

import psutil

from tests.work.child_processes import descriptors


def remains() -> tuple[set[int], int]:
    """Return all that this process has started, and what that has; and the open descriptors."""
    return {each.pid for each in psutil.Process().children(recursive=True)}, descriptors()


def named(text: str) -> list[int]:
    """Return the processes of this machine that have a text in their command."""
    return [
        each.pid
        for each in psutil.process_iter(["cmdline"])
        if any(text in word for word in each.info["cmdline"] or [])
    ]
