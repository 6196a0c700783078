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
from txremote.refs.copy_nodes import ANYTHING
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
    asked: list[Deferred[Any]] = [_asked(place, for_thread) for place in places]
    gathered = gatherResults(asked, consumeErrors=True)

    def failed(failure: Failure) -> Failure:
        for each in asked:
            each.cancel()
        asked.clear()
        if failure.check(FirstError):
            first: Failure = failure.value.subFailure  # type: ignore[union-attr]
            return first
        return failure

    return gathered.addErrback(failed)


def _asked(place: Place, for_thread: bool) -> Deferred[Any]:
    reference = place.value
    assert type(reference) is RemoteReference
    owner: Any = reference._connection
    if FEATURE_VALUES not in owner.features:
        copying = copied(owner, [Wish(reference, ANYTHING, place.path)])
        return copying.addCallback(
            lambda copies: ReceivedValue(copies[0], True, ()) if for_thread else copies[0]
        )
    timeout = owner.config.sync_request_timeout
    asking: Deferred[Any] = owner.outbound.request(HANDLE_FETCH, (reference,), timeout)
    if for_thread:
        keep_received(asking)
    return asking


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
