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

from txremote.peer.pending_calls import keep_received
from txremote.peer.stock_copying import Wish, copied
from txremote.peer.stock_wanted import wanted_by
from txremote.refs.netref import is_base_netref
from txremote.refs.reference import RemoteReference
from txremote.values.plan import Place
from txremote.wire.consts import FEATURE_VALUES, HANDLE_FETCH
from txremote.wire.values import ReceivedValue


def fetched(places: Sequence[Place], for_thread: bool = False) -> Deferred[list[Any]]:
    """
    Copy what references at some places stand for. In the connection's context.

    Args:
        places: Of one call; what stands there is a `RemoteReference`.
        for_thread: Whether the copies are to be given netrefs in a thread, as
            `ReceivedValue`.

    Returns:
        A Deferred of the copies. It fails with what the first of them fails with, and may be
        cancelled.
    """
    by_owner: dict[Any, list[int]] = {}
    for number, place in enumerate(places):
        assert type(place.value) is RemoteReference
        by_owner.setdefault(place.value._connection, []).append(number)
    asked: list[Deferred[Any]] = []
    numbers: list[list[int]] = []  # of the places that each of those is for
    for owner, found in by_owner.items():
        if FEATURE_VALUES in owner.features:
            asked += [_fetched(owner, places[number], for_thread) for number in found]
            numbers += [[number] for number in found]
        else:
            asked.append(_copied(owner, [places[number] for number in found], for_thread))
            numbers.append(found)
    gathered = gatherResults(asked, consumeErrors=True)

    def in_order(copies: list[list[Any]]) -> list[Any]:
        made: list[Any] = [None] * len(places)
        for group, each in zip(numbers, copies, strict=True):
            for number, copy in zip(group, each, strict=True):
                made[number] = copy
        return made

    def failed(failure: Failure) -> Failure:
        for each in asked:
            each.cancel()
        asked.clear()
        if failure.check(FirstError):
            first: Failure = failure.value.subFailure  # type: ignore[union-attr]
            return first
        return failure

    return gathered.addCallbacks(in_order, failed)


def _fetched(owner: Any, place: Place, for_thread: bool) -> Deferred[list[Any]]:
    timeout = owner.config.sync_request_timeout
    asking: Deferred[Any] = owner.outbound.request(HANDLE_FETCH, (place.value,), timeout)
    if for_thread:
        keep_received(asking)
    return asking.addCallback(_alone)


def _alone(copy: object) -> list[object]:
    return [copy]


def _copied(owner: Any, places: Sequence[Place], for_thread: bool) -> Deferred[list[Any]]:
    wishes = [Wish(each.value, wanted_by(each.value_type), each.path) for each in places]
    copying = copied(owner, wishes)
    if for_thread:
        copying.addCallback(lambda copies: [ReceivedValue(copy, True, ()) for copy in copies])
    return copying


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


def _fetched_for_thread(place: Place) -> Deferred[tuple[Any, ...]]:
    return fetched([place], for_thread=True).addCallback(tuple)
