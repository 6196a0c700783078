"""
Figures of the operating system: memory, descriptors, the bytes of a connection.

They come from ``/proc`` and from the kernel's own count of a TCP connection's bytes, so they cost
nothing while nobody asks. Where a system does not tell them they are 0, or None.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Any, Final

from txremote.levels import Logger

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_log = Logger("txremote")

# A process with fewer left has no room for a handful of clients, or for a worker's pipes.
_FEW_DESCRIPTORS: Final = 8

_TCP_INFO: Final = getattr(socket, "TCP_INFO", None)

# Where `struct tcp_info` of Linux has bytes_acked and bytes_received.
_ACKED: Final = slice(120, 128)
_RECEIVED: Final = slice(128, 136)


def resident_memory() -> int:
    """Return how many bytes of memory this process has, 0 where that is not told."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def open_descriptors() -> int:
    """Return how many descriptors are open, 0 where that is not told."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder)) - 1  # the folder itself is open meanwhile
        except OSError as problem:
            if problem.errno == errno.EMFILE:  # so all that there may be
                return most_descriptors()
    return 0


def most_descriptors() -> int:
    """Return how many descriptors may be open, 0 where that is not told or not limited."""
    if resource is None:
        return 0
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 0 if soft == resource.RLIM_INFINITY else soft


class DescriptorWatch:
    """Warns when few descriptors are left, and says when there are enough again."""

    def __init__(self) -> None:
        self._few = False

    def look(self) -> int:
        """Return how many are open, and log what has changed since the last look."""
        opened, most = open_descriptors(), most_descriptors()
        few = most > 0 and most - opened < max(_FEW_DESCRIPTORS, most // 20)
        if few and not self._few:
            _log.warn(
                "{opened} of {most} file descriptors are open: new clients are turned away when "
                "none is left (ulimit -n, or LimitNOFILE= of systemd, allows more)",
                opened=opened,
                most=most,
            )
        elif self._few and not few:
            _log.info("{opened} of {most} file descriptors are open", opened=opened, most=most)
        self._few = few
        return opened


def connection_bytes(transport: Any) -> tuple[int | None, int | None]:
    """
    Return how many bytes a transport has received, and how many its peer has acknowledged.

    The kernel counts them, of TCP on Linux only; both are None elsewhere.
    """
    if _TCP_INFO is None or sys.platform != "linux":
        return None, None
    handle = getattr(transport, "getHandle", None)
    try:
        found = None if handle is None else handle()
        if getattr(found, "family", None) not in (socket.AF_INET, socket.AF_INET6):
            return None, None
        told = found.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)  # type: ignore[union-attr]
    except (OSError, AttributeError, TypeError):
        return None, None  # it has just been closed
    if len(told) < _RECEIVED.stop:  # an older kernel's
        return None, None
    return int.from_bytes(told[_RECEIVED], sys.byteorder), int.from_bytes(
        told[_ACKED], sys.byteorder
    )
