"""
Nothing twice, and gaps counted: `Seen` knows the last number of each publisher.

A publisher whose connection is lost cannot tell whether its last events arrived, and publishes
them again under the same numbers. Those of one publisher come in order: whatever comes again is
not higher than the last, and each number that is left out is an event that was missed.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from txremote.buses.envelope import Event
from txremote.buses.ports import START, Id

#: Publishers that are remembered; then those that have been silent for longest are forgotten.
MOST_PUBLISHERS: Final = 10_000


class Seen:
    """
    The events that one reader has seen.

    Args:
        since: When it joined: what was published before does not concern it.
        most: Publishers to remember.
    """

    def __init__(self, since: Id, most: int = MOST_PUBLISHERS) -> None:
        self._since = self._fresh = since
        self._most = most
        self._last: OrderedDict[str, int] = OrderedDict()

    def begin_anew(self) -> None:
        """Note that the bus has begun anew: what is new on it is newer than this reader."""
        self._fresh = START

    def take(self, event: Event, at: Id) -> int | None:
        """
        Note an event that was read.

        Args:
            event: It.
            at: Its id.

        Returns:
            None if it is not to be delivered: it has been, or is older than this reader. Else how
            many of its publisher's events before it did not come.
        """
        last = self._last.get(event.origin)
        if last is not None and event.number <= last:
            return None
        self._note(event)
        if at < self._fresh if event.first is None else event.first < self._since:
            return None
        if last is None:
            # of one that has published since before this reader joined, nobody can tell
            last = 0 if event.born >= self._since else event.number - 1
        return event.number - last - 1

    def _note(self, event: Event) -> None:
        self._last[event.origin] = event.number
        self._last.move_to_end(event.origin)
        if len(self._last) > self._most:
            self._last.popitem(last=False)
