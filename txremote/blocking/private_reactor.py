"""`PrivateReactor`: a reactor for one server of a program that has no reactor of its own."""

from __future__ import annotations

import threading

from twisted.internet.selectreactor import SelectReactor

from txremote.refs.reactorthread import running_reactor

try:
    from twisted.internet.epollreactor import EPollReactor as _BaseReactor
except ImportError:  # not on this system
    _BaseReactor = SelectReactor  # type: ignore[misc]


class PrivateReactor(_BaseReactor):
    """A reactor beside the program's own, if that has one."""

    # Twisted records the thread of one reactor, which has to be the program's own
    _registerAsIOThread = False

    def __init__(self) -> None:
        self.io_thread: int | None = None  # the id of the thread that it runs in
        self._open = True
        self._waking = threading.Lock()
        super().__init__()  # type: ignore[no-untyped-call]

    def run_here(self) -> None:
        """Run until it is stopped, in this thread."""
        self.io_thread = threading.get_ident()
        try:
            in_main = threading.current_thread() is threading.main_thread()
            with running_reactor():
                self.run(installSignalHandlers=in_main)
        finally:
            self.io_thread = None
            self.dispose()

    def wakeUp(self) -> None:
        """Called by Twisted from any thread; does nothing after `dispose`."""
        with self._waking:
            if self._open:
                super().wakeUp()

    def dispose(self) -> None:
        """Close the descriptors, which Twisted leaves open. It cannot run again."""
        with self._waking:
            if self._open:
                self._open = False
                for reader in list(self._internalReaders):
                    reader.connectionLost(None)
                poller = getattr(self, "_poller", None)
                if poller is not None:
                    poller.close()
