"""
Copies of what a peer has by reference (`fetched`), for places where values are declared.

A txremote sends each as a value, in one request (FETCH). From a stock RPyC it is copied part by
part (`txremote.peer.stock_copying`). All that is asked for is asked at once, and comes within
``sync_request_timeout``. An object may be a third peer's, and is asked for where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

from txremote.errors import RemoteProtocolError
from txremote.peer.stock_copying import Wish, copied
from txremote.peer.stock_wanted import wanted_by
from txremote.peer.unanswered_call import keep_received
from txremote.refs.netref import is_base_netref
from txremote.refs.reference import RemoteReference
from txremote.values.plan import Place
from txremote.wire.consts import FEATURE_VALUES, HANDLE_FETCH
from txremote.wire.values import ReceivedValue


def fetched(places: Sequence[Place]) -> Deferred[list[object]]:
    """
    Copy what references at some places stand for. In the connection's context.

    Args:
        places: Of one call; what stands there is a `RemoteReference`.

    Returns:
        A Deferred of the copies, which together are no longer than a message may be. It fails
        with what the first of them fails with, and may be cancelled.
    """
    return copies_of(places).addCallback(lambda copies: [copy.value for copy in copies])


def copies_of(places: Sequence[Place]) -> Deferred[list[ReceivedValue]]:
    """Do as `fetched`; the copies are as they were unboxed."""
    by_owner: dict[Any, list[int]] = {}
    for number, place in enumerate(places):
        assert type(place.value) is RemoteReference
        by_owner.setdefault(place.value._connection, []).append(number)
    total = _Total()
    asked: list[Deferred[Any]] = []
    numbers: list[list[int]] = []  # of the places that each of those is for
    for owner, found in by_owner.items():
        if FEATURE_VALUES in owner.features:
            asked += [_fetched(owner, places[number], total) for number in found]
            numbers += [[number] for number in found]
        else:
            asked.append(_copied(owner, [places[number] for number in found]))
            numbers.append(found)
    gathered = gatherResults(asked, consumeErrors=True)

    def in_order(copies: list[list[ReceivedValue]]) -> list[ReceivedValue]:
        made: dict[int, ReceivedValue] = {}
        for group, each in zip(numbers, copies, strict=True):
            made.update(zip(group, each, strict=True))
        return [made[number] for number in range(len(places))]

    def failed(failure: Failure) -> Failure:
        for each in asked:
            each.cancel()
        asked.clear()
        if failure.check(FirstError):
            first: Failure = failure.value.subFailure  # type: ignore[union-attr]
            return first
        return failure

    return gathered.addCallbacks(in_order, failed)


class _Total:
    """The bytes of all that is fetched for one call."""

    def __init__(self) -> None:
        self._size = 0

    def counted(self, copy: object, most: int) -> list[ReceivedValue]:
        """Count a copy. RemoteProtocolError: those of the call are too many bytes."""
        received = copy if type(copy) is ReceivedValue else ReceivedValue(copy, False, ())
        self._size += received.size
        if self._size > most:
            raise RemoteProtocolError(
                f"more than {most} bytes to fetch for the arguments of one call "
                "(option max_inflated)",
                "max_inflated",
            )
        return [received]


def _fetched(owner: Any, place: Place, total: _Total) -> Deferred[list[ReceivedValue]]:
    timeout = owner.config.sync_request_timeout
    asking: Deferred[Any] = owner.outbound.request(HANDLE_FETCH, (place.value,), timeout)
    keep_received(asking)
    return asking.addCallback(total.counted, owner.config.max_inflated)


def _copied(owner: Any, places: Sequence[Place]) -> Deferred[list[ReceivedValue]]:
    wishes = [Wish(each.value, wanted_by(each.value_type), each.path) for each in places]
    copying = copied(owner, wishes)
    return copying.addCallback(lambda copies: [ReceivedValue(copy, True, ()) for copy in copies])


def fetched_here(places: Sequence[Place]) -> list[Any]:
    """Copy what netrefs at some places stand for, in a thread that may block."""
    found = []
    for place in places:
        netref = place.value
        assert is_base_netref(netref)
        view: Any = netref.____conn__
        one = place._replace(value=netref.____ref__)
        found += view.ask(_fetched_for_thread, one)
    return found


def _fetched_for_thread(place: Place) -> Deferred[tuple[ReceivedValue, ...]]:
    return copies_of([place]).addCallback(tuple)
