"""`AdminAddress`: where an admin site is, as ``txremote top`` and ``health`` are told."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit


class AdminAddress(NamedTuple):
    """Where an admin site is: a UNIX socket's path, or a host and a port, with TLS or without."""

    path: str = ""
    host: str = ""
    port: int = 0
    tls: bool = False


def admin_address(written: str) -> AdminAddress | None:
    """
    Return the admin site that is named by a URL or as ``unix:PATH``; None if it is another name.

    Raises:
        ValueError: It is a URL of something else.
    """
    if written.startswith("unix:"):
        return AdminAddress(path=written.removeprefix("unix:"))
    if not written.startswith(("http://", "https://")):
        return None
    parts = urlsplit(written)
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("say http://HOST:PORT, with nothing behind it")
    tls = parts.scheme == "https"
    port = (443 if tls else 80) if parts.port is None else parts.port
    return AdminAddress(host=parts.hostname or "", port=port, tls=tls)
