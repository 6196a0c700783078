"""
`Subscriber`: one subscription, as its topic knows it.

A subscriber takes an event at once if it can (`Sink.take`), else the event waits
(`txremote.topics.waiting_events`) until the sink says that it can take more. A sink is what
events leave by: a connection, a callback, a loop of this process. Before there is one, all wait.

All of it is called in the subscriber's `Place`, but for `close`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from txremote.errors import SubscriberTooSlow
from txremote.topics.event import Event, Missed
from txremote.topics.places import Place
from txremote.topics.waiting_events import WaitingEvents


class Sink(Protocol):
    """The way by which a subscriber's events leave."""

    def take(self, event: Event) -> bool:
        """Take an event, or return False: the sink calls `Subscriber.flush` when it can."""

    def missed(self, missed: Missed) -> None:
        """Note that events were missed, before the next one."""

    def ended(self, error: Exception | None) -> None:
        """Note that no more events come: in order, or by an error."""


def _takes_none(_event: Event) -> bool:
    return False


def _takes_all(_event: Event) -> bool:
    return True


def _ignored(_why: str) -> None:
    return


class Subscriber:
    """
    One subscription.

    Args:
        place: Where it lives.
        waiting: Holds what it does not take.
        keys: The keys that it wants; None: all, if there is no ``prefix`` either.
        prefix: Wants keys that begin with it, too.
        forget: Called once, when it has ended.

    Attributes:
        delivered: How many events it has taken.
        error: By which it has ended, for one who begins to read it only then; or None.
        missed_elsewhere: How many it did not get since its topic did not, as far as known.
        note_unsendable: Called with the reason why an event could not be sent to it.
        sink: The way by which they leave, or None.
        told: Called when it has missed some, before the next event; or None.
        wants_last: Whether it gets the last event of each key first.
    """

    __slots__ = (
        "_ending",
        "_filtered",
        "_forget",
        "_keys",
        "_over",
        "_prefix",
        "_take",
        "delivered",
        "error",
        "missed_elsewhere",
        "note_unsendable",
        "place",
        "sink",
        "told",
        "waiting",
        "wants_last",
    )

    def __init__(
        self,
        place: Place,
        waiting: WaitingEvents,
        keys: Collection[str] | None,
        prefix: str | None,
        forget: Callable[[Subscriber], object],
    ) -> None:
        self.place = place
        self.waiting = waiting
        self._keys = keys or ()
        self._prefix = prefix
        self._filtered = keys is not None or prefix is not None
        self._forget = forget
        self._take: Callable[[Event], bool] = _takes_none
        self._over = False
        self._ending = False
        self.sink: Sink | None = None
        self.delivered = 0
        self.error: Exception | None = None
        self.missed_elsewhere = 0
        self.note_unsendable: Callable[[str], object] = _ignored
        self.told: Callable[[Missed], object] | None = None
        self.wants_last = True

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._over

    @property
    def lagging(self) -> bool:
        """Whether events wait that it was to have taken."""
        return self.sink is not None and self.waiting.events > 0

    @property
    def characters(self) -> int:
        """How long its keys are, together."""
        return sum(map(len, self._keys)) + len(self._prefix or "")

    def wants(self, key: str | None) -> bool:
        """Tell whether it wants events of a key."""
        if not self._filtered or key in self._keys:
            return True
        return self._prefix is not None and key is not None and key.startswith(self._prefix)

    def offer(self, event: Event) -> None:
        """Let it have an event, now or when it can take it."""
        if self._filtered and not self.wants(event.key):
            return
        if not self.waiting.items:
            self.delivered += 1  # before: what is done with it may end this, and then nobody counts
            if self._take(event):
                return
            self.delivered -= 1
        try:
            self.waiting.add(event)
        except SubscriberTooSlow as problem:
            self.end(problem)

    def offer_late(self, event: Event) -> None:
        """Let it have the last event of a key from before it came, which has just been found."""
        if self.wants_last:
            self.offer(event)

    def offer_overtaken(self, event: Event) -> None:
        """Let it have an event that came after a newer one of its key, if that is of use to it."""
        if not self.waiting.wants_newest_only:
            self.offer(event)
        elif self.wants(event.key):
            self.waiting.dropped += 1
            self.waiting.missed(1, "a newer one of its key came before it")
            self.flush()

    def missed(self, count: int | None, why: str) -> None:
        """Tell it that events were missed that came from elsewhere."""
        self.missed_elsewhere += count or 0
        self.waiting.missed(count, why)
        self.flush()

    def start(self, sink: Sink) -> None:
        """Let its events leave by a sink from now on; what waits goes first."""
        if self._over:
            sink.ended(self.error)
            return
        self.sink = sink
        self._take = sink.take
        self.flush()

    def flush(self) -> None:
        """Let the sink have what waits, as far as it takes it."""
        waiting, sink = self.waiting, self.sink
        if sink is None or self._over:
            return
        while waiting.items:
            item = waiting.pop()
            if type(item) is Missed:
                self._tell(item)
            elif type(item) is Event:
                self.delivered += 1
                if not sink.take(item):
                    self.delivered -= 1
                    waiting.put_back(item)
                    return
                if self._over:  # by what was done with the event
                    return
        if self._ending:
            self.end(None)

    def could_not_send(self, why: str) -> None:
        """Note that an event which the sink takes cannot be sent: it is dropped. For the sink."""
        self.waiting.dropped += 1
        self.note_unsendable(why)
        self._tell(Missed(1, f"an event could not be sent: {why}"))
        self.delivered -= 1  # for it is counted as taken

    def _tell(self, missed: Missed) -> None:
        if self.told is not None:
            self.told(missed)
        if self.sink is not None:
            self.sink.missed(missed)

    def finish(self) -> None:
        """End it when what waits has been taken: its topic has closed."""
        self._ending = True
        if not self.waiting.items and self.sink is not None:
            self.end(None)

    def end(self, error: Exception | None) -> None:
        """End it now, and drop what waits."""
        if self._over:
            return
        self._over = True
        self.error = error
        self._take = _takes_all  # what is under way goes nowhere
        self.waiting.clear()
        sink, self.sink = self.sink, None
        self._forget(self)
        if sink is not None:
            sink.ended(error)

    def close(self) -> None:
        """End it, from any thread."""
        self.place.enter(lambda: self.end(None))

    def abandon(self) -> None:
        """Forget it: nobody holds it any more. For a finalizer, in any thread."""
        if not self._over:
            self._over = True
            self._take = _takes_all
            self.sink = None
            self._forget(self)
