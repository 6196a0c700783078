"""
Functions that bring each other about, in order and without the stack.
"""

from __future__ import annotations

from functools import partial
from threading import Thread

from txremote.refs.soon import soon


def test_a_chain_of_any_length_is_called_in_order_and_takes_no_stack() -> None:
    called: list[int] = []

    def link(number: int) -> None:
        if number < 5000:
            soon(partial(link, number + 1))
        called.append(number)

    soon(partial(link, 0))
    assert called == list(range(5001))


def test_threads_do_not_wait_for_each_other() -> None:
    called: list[str] = []

    def elsewhere() -> None:
        thread = Thread(target=soon, args=(lambda: called.append("thread"),))
        thread.start()
        thread.join(30)
        called.append("here")

    soon(elsewhere)
    assert called == ["thread", "here"]
