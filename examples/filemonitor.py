"""
A file monitor: RPyC's example of events, in code that may block.

Serve it, from the folder above this one::

    twistd -n txremote --service examples.filemonitor.FileMonitorService

and watch a file, until Ctrl-C or for so many changes::

    python examples/filemonitor.py 127.0.0.1 18861 FILE [COUNT]

Every client can read the sizes of the server's files, so serve it on loopback.
"""

import os
import sys
import threading

import txremote.blocking as rpyc


class FileMonitor:
    """Watches one file, in a thread of its own. The client holds it by reference."""

    def __init__(self, filename, callback, interval):
        self._filename = filename
        # An event: the call is sent, and nobody waits for what it returns.
        self._callback = rpyc.async_(callback)
        self._interval = interval
        self._stopped = threading.Event()
        self._last = self._look()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _look(self):
        try:
            stat = os.stat(self._filename)
        except FileNotFoundError:
            return None
        return stat.st_size, stat.st_mtime_ns

    def _work(self):
        while not self._stopped.wait(self._interval):
            now = self._look()
            if now != self._last:
                # a tuple of numbers is a value: the client needs to ask for nothing
                self._callback(self._last, now)
                self._last = now

    @rpyc.exposed
    def stop(self):
        """End the events."""
        self._stopped.set()
        self._thread.join()


class FileMonitorService(rpyc.Service):
    """What the server offers. Each connection has its own, in a thread that may block."""

    def __init__(self):
        self._monitors = []

    def on_disconnect(self, conn):
        """Drop a client that has gone, with or without a good-bye."""
        for monitor in self._monitors:
            monitor.stop()

    @rpyc.exposed
    def monitor(self, filename, callback, interval=0.1):
        """
        Call ``callback(before, after)`` when a file changes. Both are its size and its
        time of change in nanoseconds, or None where there is no such file.
        """
        monitor = FileMonitor(filename, callback, interval)
        self._monitors.append(monitor)
        return monitor


def size(state):
    """Say how big a file is."""
    return "no file" if state is None else f"{state[0]} bytes"


def main(host, port, filename, count=None):
    """The client."""
    seen = []
    done = threading.Event()

    def on_change(before, after):
        print(f"{filename}: {size(before)}, then {size(after)}", flush=True)
        seen.append(after)
        if count is not None and len(seen) >= int(count):
            done.set()

    conn = rpyc.connect(host, int(port))
    # Serves the server's calls; calls back when the connection ends.
    events = rpyc.BgServingThread(conn, callback=done.set)
    monitor = conn.root.monitor(os.path.abspath(filename), on_change)
    print("watching", flush=True)
    try:
        done.wait()
        if not conn.closed:
            monitor.stop()
    except KeyboardInterrupt:
        pass
    finally:
        events.stop()
        conn.close()


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        raise SystemExit("usage: python examples/filemonitor.py HOST PORT FILE [COUNT]")
    main(*sys.argv[1:])
