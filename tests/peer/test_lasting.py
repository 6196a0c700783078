"""What a handler returns that takes as long as it takes."""

from __future__ import annotations

from typing import Any, cast

from txremote.peer.awaiting import awaited
from txremote.peer.lasting import Lasting, Unlimited


def test_it_is_begun_where_results_are_awaited_and_its_deferred_is_the_result() -> None:
    begun: list[Unlimited] = []

    def begin() -> Unlimited:
        begun.append(Unlimited())
        return begun[0]

    lasting = Lasting(begin)
    assert begun == []
    assert awaited(lasting, cast("Any", None)) is begun[0]
