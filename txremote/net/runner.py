"""
The runner of a connection that lives in a reactor: everything happens at once,
in the reactor's thread, and other threads hand their calls to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python import threadable

from txremote.errors import WrongThread
from txremote.peer.runner import Work
from txremote.refs.asyncresult import ReactorDriver


class ReactorRunner(ReactorDriver):
    """
    Runs requests and fires results in the reactor's thread (a `Runner`).

    Args:
        reactor: The reactor.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._reactor_given = reactor

    def start(self, work: Work) -> None:
        """
        Run it now.
        """
        work.run()

    def fire(self, deferred: Deferred[Any], result: Any) -> None:
        """
        Fire it now.
        """
        if not deferred.called:  # an earlier one's callback may have cancelled it
            deferred.callback(result)

    def hook(self, connection: Any, hook: Callable[[Any], Any]) -> None:
        """
        Call it now.
        """
        connection.run_hook(hook, connection)

    def check_thread(self) -> None:
        """
        Raises:
            WrongThread: this is not the reactor's thread.
        """
        # ioThread is None until a reactor has started
        if threadable.ioThread != threading.get_ident() and threadable.ioThread is not None:
            raise WrongThread(
                "a remote reference is called in the reactor's thread: use "
                "txremote.async_(reference)(...), or reactor.callFromThread"
            )

    def submit(self, function: Callable[[], Any]) -> None:
        """
        Call a function in the reactor's thread: now, if this is it.
        """
        if threadable.ioThread is None or threadable.ioThread == threading.get_ident():
            function()
        else:
            self._reactor_given.callFromThread(function)
