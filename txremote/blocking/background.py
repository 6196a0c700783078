"""`BgServingThread`: serves a connection while the script does other things."""

from __future__ import annotations

import threading
from collections.abc import Callable

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.inbox import PendingAnswer


class BgServingThread:
    """
    A thread that serves a connection (``rpyc.utils.helpers.BgServingThread``).

    It waits on the socket, so what comes is served at once; RPyC's polls every 0.1 s. The
    intervals have no effect. The callback is called in the thread when the connection has
    ended, unless `stop` came first.
    """

    SERVE_INTERVAL = 0.0
    SLEEP_INTERVAL = 0.0

    def __init__(
        self,
        conn: BlockingConnection,
        callback: Callable[[], object] | None = None,
        serve_interval: float = SERVE_INTERVAL,
        sleep_interval: float = SLEEP_INTERVAL,
    ) -> None:
        self._pump = conn._pump
        self._callback = callback
        self._waiter = PendingAnswer()
        self._pump.io.channel.interruptible()
        self._thread = threading.Thread(
            target=self._serve, name="txremote BgServingThread", daemon=True
        )
        self._thread.start()

    @property
    def active(self) -> bool:
        """Whether it serves: until `stop`, or the end of the connection."""
        return self._thread.is_alive()

    _active = active  # the name that RPyC has, and programs read

    def _serve(self) -> None:
        stopped = self._pump.run_until(self._waiter, None)
        if not stopped and self._callback is not None:
            self._callback()

    def stop(self) -> None:
        """
        Stop serving, and wait until the thread has ended: a request that it is just running
        is run to its end. Once stopped it cannot be started again.
        """
        self._pump.interrupt(self._waiter)
        if self._thread is not threading.current_thread():
            self._thread.join()
