"""
Figures of the operating system: memory, descriptors, the bytes of a connection.

They come from ``/proc`` and from the kernel's own count of a TCP connection's bytes, so they cost
nothing while nobody asks. Where a system does not tell them they are 0, or None.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, Final

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

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
        except OSError:
            continue
    return 0


def most_descriptors() -> int:
    """Return how many descriptors may be open, 0 where that is not told or not limited."""
    if resource is None:
        return 0
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 0 if soft == resource.RLIM_INFINITY else soft


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
