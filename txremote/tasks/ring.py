"""
`OutputRing`: the last lines that a task has put out, and how many went before.

Lines are numbered from 0 as they come, and keep their numbers, so a reader that has seen those
below n asks for ``lines(n)``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

# What stands at the end of a line that was cut, where that is a small part of it.
_MARK = " ... the rest is left out"
_MARKED_FROM = 1_000


def size_of(text: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class OutputRing:
    """A bounded list of lines, in UTF-8, that drops the oldest and cuts the longest. One thread."""

    def __init__(self, max_lines: int, max_bytes: int) -> None:
        if max_lines < 1 or max_bytes < 1:
            raise ValueError("a task keeps at least one line and one byte of its output")
        self.max_lines = max_lines
        self.max_bytes = max_bytes
        self._lines: deque[str] = deque()
        self.dropped = 0  # lines
        self.dropped_bytes = 0  # those of cut lines included
        self.size = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept."""
        return self.dropped

    @property
    def next(self) -> int:
        """The number that the next line will have: how many there have been."""
        return self.dropped + len(self._lines)

    @property
    def written(self) -> int:
        """How many bytes all lines had so far, without the parts of long ones that were cut off."""
        return self.size + self.dropped_bytes

    def append(self, text: str) -> None:
        """Add a line. It may have line ends in it, and stays one."""
        size = size_of(text)
        if size > self.max_bytes:
            mark = _MARK if self.max_bytes >= _MARKED_FROM else ""
            kept = self.max_bytes - len(mark)
            # a character has a byte at least
            text = text[:kept].encode("utf-8", "replace")[:kept].decode("utf-8", "ignore") + mark
            self.dropped_bytes += size
            size = size_of(text)
            self.dropped_bytes -= size
        lines = self._lines
        lines.append(text)
        self.size += size
        while self.size > self.max_bytes or len(lines) > self.max_lines:
            gone = size_of(lines.popleft())
            self.size -= gone
            self.dropped += 1
            self.dropped_bytes += gone

    def extend(self, texts: Sequence[str]) -> None:
        """Add some lines."""
        size = size_of("".join(texts))
        beyond = len(self._lines) + len(texts) - self.max_lines
        if self.size + size > self.max_bytes or len(texts) > self.max_lines:
            for text in texts:
                self.append(text)
            return
        if beyond > 0:
            dropped = [self._lines.popleft() for _ in range(beyond)]
            gone = size_of("".join(dropped))
            self.size -= gone
            self.dropped += beyond
            self.dropped_bytes += gone
        self._lines.extend(texts)
        self.size += size

    def lines(self, since: int = 0) -> list[str]:
        """Return the lines that are kept, from a number on."""
        wanted = max(0, min(self.next - since, len(self._lines)))
        found = list(islice(reversed(self._lines), wanted))
        found.reverse()
        return found

    def text(self) -> str:
        """Return what is kept as one text."""
        return "\n".join(self.lines())
