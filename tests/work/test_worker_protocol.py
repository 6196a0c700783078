"""
What a pool and its worker processes agree on.
"""

from __future__ import annotations

import subprocess
import sys

from txremote.work import plainphase


def test_the_descriptors_are_free() -> None:
    """None is a standard one, and none has two uses."""
    used = {plainphase.REQUESTS, plainphase.ANSWERS, plainphase.TICKETS}
    assert len(used) == 3
    assert not used & {0, 1, 2}


def test_the_replies_can_be_told_apart() -> None:
    """Each beginning is another number."""
    assert len({plainphase.DONE, plainphase.FAILED, plainphase.DROPPED}) == 3


def test_the_parent_does_not_import_the_child_s_side() -> None:
    """A pool of processes brings no blocking connections into the reactor's process."""
    program = (
        "import sys, txremote.work.processes; "
        "print([m for m in sys.modules if m.startswith('txremote.blocking')])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
