"""
Lanes: a threaded service's requests, in order, in a thread that may block.

A connection whose service is threaded has a lane. Its requests run one after the other in
one worker thread, with netrefs for references, as in RPyC. A thread of the pool that waits
for a remote call gives its slot in the pool back, and runs meanwhile

1. what comes in its own lane: the peer may call back before it answers;
2. what comes in the lane of the connection it waits on, if no thread is in that lane, or if
   the thread in it waits on a script's connection, which may bring nothing until the item
   has run. Any other thread of the program that waits on the connection does the latter, too.

So chains of calls, over one connection or many, never run out of threads.

The loop's thread decodes, encodes and writes; it hands requests to lanes and answers to the
threads that wait. A thread that waits on the connection of its own lane gets its answer
through the lane, behind what the peer asked before. Items run with the context variables of
the lane's connection (`txremote.peer.variables`), in any thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from txremote.eventloop.worker_pool import TooManyThreads, WorkerPool, here
from txremote.levels import Logger
from txremote.peer.variables import Variables

_log = Logger("txremote")

Item = Callable[[], object]


def lanes_here() -> list[Lane]:
    """Return the lanes whose items are on this thread's stack, the innermost last."""
    return here.lanes  # type: ignore[return-value]  # nothing else is put there


class ThreadParking:
    """
    A thread that waits, and runs items meanwhile.

    All methods but `complete` are for that thread. It serves the lanes on its stack, and
    offers to step into one more: that of the connection it waits on.
    """

    __slots__ = ("_lanes", "_offered", "_pool", "awake", "done", "value")

    _lanes: dict[Lane, bool]  # whether the thread is in it; the innermost comes first
    _offered: Lane | None
    _pool: WorkerPool | None  # of the connection's listener, or of another

    def __init__(self) -> None:
        self.done = False
        self.value: object = None
        self.awake = threading.Semaphore(0)

    def complete(self, value: object) -> None:
        """End the wait. Any thread."""
        self.value = value
        self.done = True
        self.awake.release()

    def begin(self, lane: Lane | None) -> None:
        """Enter the lanes, and give the slot in the pool back."""
        self._pool = here.pool
        self._lanes = dict.fromkeys(reversed(lanes_here()), True)
        self._offered = None if lane in self._lanes else lane
        if self._offered is not None:
            self._lanes[self._offered] = False
        for each, inside in self._lanes.items():
            each.enter(self, inside, self._pool is None)
        if self._pool is not None:
            self._pool.begin_wait()

    def next_item(self) -> tuple[Lane, Item] | None:
        """Return the next item and its lane, or None."""
        for lane, inside in self._lanes.items():
            item = lane.take(inside, self._pool is None)
            if item is not None:
                return lane, item
        return None

    def interrupt(self) -> None:
        """Wait no more, to run an item; the lane that is only offered cannot rely on us now."""
        if self._pool is not None:
            self._pool.end_wait()
        if self._offered is not None:
            self._offered.leave(self, False, self._pool is None)

    def resume(self, lane: Lane) -> None:
        """Wait again, after an item of a lane."""
        if not self._lanes[lane]:
            lane.give_back()
        if self._offered is not None:
            self._offered.enter(self, False, self._pool is None)
        if self._pool is not None:
            self._pool.begin_wait()

    def end(self) -> None:
        """Leave the lanes, and take a slot in the pool."""
        if self._pool is not None:
            self._pool.end_wait()
        for lane, inside in self._lanes.items():
            lane.leave(self, inside, self._pool is None)


class Lane:
    """
    The items of one connection, run one after the other.

    A lane is *owned* while a thread has one of its items on its stack, running or waiting.
    Only that thread may run the next, within the one before; but while it waits on a script's
    connection it is *away*, and one other, a *guest*, may. `post` returns a ticket for
    `take_back`.
    """

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._items: OrderedDict[object, Item] = OrderedDict()  # by their tickets
        self._last: Item | None = None  # see `end`
        self._owned = False
        self._inside: list[ThreadParking] = []  # waits of the owner, the innermost last
        self._outside: list[ThreadParking] = []  # of threads that would step in
        self._guests: list[ThreadParking] = []  # of threads that would be guests only
        self._away = 0  # how many waits on scripts' connections its threads are in
        self._guest: int | None = None  # the thread that is one
        self.variables = Variables()  # none to begin with, as in a thread of RPyC's

    def __len__(self) -> int:
        return len(self._items)

    def post(self, item: Item) -> object:
        """
        Add an item, and return its ticket. Any thread.

        Raises:
            TooManyThreads: there is no thread to run it, and none to be had.
        """
        ticket = object()
        with self._lock:
            self._items[ticket] = item
            if self._wake() or self._owned:
                return ticket
            self._owned = True
        try:
            self._workers.submit(self._run)
        except TooManyThreads:
            with self._lock:
                del self._items[ticket]
                if not self._items and self._last is None:
                    self._owned = False
                    raise
            # others have come meanwhile, and rely on us
            self._workers.submit(self._run, patient=True)
            raise
        return ticket

    def take_back(self, ticket: object) -> bool:
        """Forget an item unless it has begun; return whether that was in time. Any thread."""
        with self._lock:
            return self._items.pop(ticket, None) is not None

    def end(self, item: Item) -> None:
        """
        Add the last item, which runs behind all others and within none of them. Once, from any
        thread; where there is no thread for it, it waits for one.
        """
        with self._lock:
            self._last = item
            for wait in self._inside:  # a thread that waits for the next item waits in vain
                wait.awake.release()
            if self._owned:
                return
            self._owned = True
        self._workers.submit(self._run, patient=True)

    def _wake(self) -> bool:
        """Wake a waiting thread that may run the next item, if there is one."""
        waiting = (self._inside if self._owned else self._outside)[-1:]
        if self._owned and self._away:
            waiting += (self._outside + self._guests)[-1:]
        for wait in waiting:
            wait.awake.release()
        return bool(waiting)

    def _run(self) -> None:
        """Run items until there are none, or until it is another lane's turn."""
        lanes = lanes_here()
        lanes.append(self)
        try:
            while True:
                with self._lock:
                    if self._items:
                        _, item = self._items.popitem(last=False)
                    elif self._last is not None:
                        item, self._last = self._last, None
                    else:
                        self._owned = False
                        return
                try:
                    self.variables.run(item)
                except BaseException:  # SystemExit in a callback, say: the lane goes on
                    _log.failure("what ran in a lane failed")
                if self._workers.crowded and self._stand_in_line():
                    return
        finally:
            lanes.pop()

    def _stand_in_line(self) -> bool:
        """Let those go first that wait for a thread; the lane stays owned meanwhile."""
        try:
            self._workers.submit(self._run)
        except TooManyThreads:
            return False
        return True

    def go_away(self) -> None:
        """Let a guest in: a thread that has it on its stack waits on a script's connection."""
        with self._lock:
            self._away += 1
            if self._items:
                self._wake()

    def come_back(self) -> None:
        """Note that this wait is over."""
        with self._lock:
            self._away -= 1

    def _waits(self, inside: bool, guest_only: bool) -> list[ThreadParking]:
        if inside:
            return self._inside
        return self._guests if guest_only else self._outside

    def enter(self, wait: ThreadParking, inside: bool, guest_only: bool = False) -> None:
        """
        Offer a waiting thread to run what comes; ``inside``: it owns the lane. Otherwise one
        that is ``guest_only``, for it is no thread of a pool, steps in as a guest alone.
        """
        with self._lock:
            self._waits(inside, guest_only).append(wait)
            if self._items and self._away:
                self._wake()

    def leave(self, wait: ThreadParking, inside: bool, guest_only: bool = False) -> None:
        """Take the offer back; what has come meanwhile is for another thread."""
        with self._lock:
            self._waits(inside, guest_only).remove(wait)
            if not self._items or self._wake() or self._owned:
                return
            self._owned = True
        self._workers.submit(self._run, patient=True)

    def take(self, inside: bool, guest_only: bool = False) -> Item | None:
        """
        Return the next item for a waiting thread, or None. A thread that is not ``inside`` owns
        the lane from then on, or is its guest, until `give_back`. ``guest_only``: as in `enter`.
        """
        with self._lock:
            if not self._items:
                return None
            if not inside:
                if self._owned:
                    if not self._away or self._guest is not None:
                        return None
                    self._guest = threading.get_ident()
                elif guest_only:
                    return None
            self._owned = True
            return self._items.popitem(last=False)[1]

    def run_within(self, item: Item) -> None:
        """Run an item that `take` gave, within whatever this thread runs."""
        here = lanes_here()
        if here and here[-1] is self:  # its variables are there
            item()
            return
        here.append(self)
        try:
            self.variables.run(item)
        finally:
            here.pop()

    def give_back(self) -> None:
        """
        Step out of a lane that `take` stepped into; what came meanwhile is for the next thread
        that asks, the same one perhaps.
        """
        with self._lock:
            if self._guest == threading.get_ident():
                self._guest = None
                return
            if self._last is None:
                self._owned = False
                return
        self._workers.submit(self._run, patient=True)
