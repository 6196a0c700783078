"""Commands of a console that txremote top looks at, with what a hostile program would print."""

from __future__ import annotations

import time
from collections.abc import Iterator

#: Markup of rich's and textual's, and what a terminal would do something at.
HOSTILE = "[bold]dict[str, int][/bold] [link='x']\x1b]0;owned\x07\x1b[2J\u202e"


class Yard:
    """One command that goes on for minutes."""

    thcommands = ["dig"]

    def dig(self, holes: int) -> Iterator[str]:
        """Dig, and tell of each hole."""
        for number in range(int(holes)):
            yield f"hole {number} {HOSTILE}"
            time.sleep(0.05)
