"""
The admin site's guards: the token, the page's cookie, and requests that another site's page made.

A program shows the token in each request, as ``Authorization: Bearer``. The page asks for it once,
and has a cookie from then on: a time of expiry, signed with the token, so it survives a restart
with the same token, and a new token ends it. Scripts cannot read it, and browsers send it with
requests of the page's own site only.

That site is a name and not a port. A page of another port, or one whose name was made to
point here (DNS rebinding), is told apart by ``Host`` and ``Origin``, and by a second value that
the page has from `Guard.csrf` and sends with each change.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from twisted.web.http import Request

#: Seconds that the page stays logged in.
COOKIE_SECONDS: Final = 12 * 3600

#: The header with the page's second value.
CSRF_HEADER: Final = "X-CSRF-Token"

#: Sent with every answer. Nothing is loaded but what this site has in files.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^:\[\]]*)(?::(\d{1,5}))?")


class Guard:
    """
    Decides about requests. For the reactor's thread.

    Args:
        token: The secret that programs show; None where the socket itself keeps others out.
        any_host: Whether every ``Host`` is right: TLS and UNIX sockets have no rebinding.
        secure: Whether clients speak TLS.
        now: The time of day, in seconds.
    """

    def __init__(
        self,
        token: bytes | None,
        *,
        any_host: bool = False,
        secure: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._token = token
        self._any_host = any_host
        self._secure = secure
        self._now = now

    # -- where a request comes from

    def wrong_place(self, request: Request) -> str | None:
        """Return why a request may come from another site's page, as a sentence, or None."""
        host = _header(request, "Host")
        # no browser leaves it out; old health checks do
        if not (self._any_host or host is None or _is_of_this_machine(host)):
            return (
                "the request's Host is no name of this machine: open the page as localhost or by "
                "its address, and have a proxy send 'Host: localhost'"
            )
        elsewhere = _header(request, "Sec-Fetch-Site") in ("cross-site", "same-site")
        follows_link = _header(request, "Sec-Fetch-Mode") == "navigate" and request.method == b"GET"
        if elsewhere and not follows_link:
            return "another site's page has sent this request"
        origin = _header(request, "Origin")
        if origin is not None and origin.partition("://")[2] != host:
            return "the request's Origin is another site's page"
        return None

    # -- the token

    def knows(self, request: Request) -> bool | None:
        """Tell whether a request shows the token, or the cookie; None: it shows neither."""
        if self._token is None:
            return True
        shown = self._bearer(request)
        if shown is not None:
            return self.is_token(shown)
        return True if self._is_cookie(self._cookie(request)) else None

    def is_token(self, shown: bytes) -> bool:
        """Tell whether some bytes are the token; the time it takes tells nothing of them."""
        return self._token is not None and hmac.compare_digest(shown, self._token)

    @staticmethod
    def _bearer(request: Request) -> bytes | None:
        kind, _space, shown = (_header(request, "Authorization") or "").partition(" ")
        return shown.strip().encode() if kind.lower() == "bearer" else None

    # -- the page's cookie

    def new_cookie(self, request: Request) -> str:
        """Return the ``Set-Cookie`` for a page that has shown the token."""
        expires = str(int(self._now()) + COOKIE_SECONDS)
        return self._set_cookie(request, f"{expires}.{self._signed('cookie', expires)}")

    def no_cookie(self, request: Request) -> str:
        """Return the ``Set-Cookie`` that takes it back."""
        return self._set_cookie(request, "", seconds=0)

    def csrf(self, request: Request) -> str:
        """Return the value that the page has to send with each change, for its cookie."""
        return self._signed("csrf", self._cookie(request))

    def may_change(self, request: Request) -> bool:
        """Tell whether a change is wanted by somebody who knows the token, and not by a page."""
        if self._token is None or self._bearer(request) is not None:
            return True
        shown = (_header(request, CSRF_HEADER) or "").encode()
        return hmac.compare_digest(shown, self.csrf(request).encode())

    def _set_cookie(self, request: Request, value: str, seconds: int = COOKIE_SECONDS) -> str:
        secure = "; Secure" if self._secure else ""
        name = _cookie_name(request)
        return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"

    def _cookie(self, request: Request) -> str:
        found: bytes | None = request.received_cookies.get(_cookie_name(request).encode())
        return (found or b"").decode("latin-1")

    def _is_cookie(self, value: str) -> bool:
        expires, _dot, signature = value.partition(".")
        right = hmac.compare_digest(signature.encode(), self._signed("cookie", expires).encode())
        return right and int(expires) > self._now()

    def _signed(self, purpose: str, value: str) -> str:
        text = f"txremote admin {purpose}\n{value}".encode()
        return hmac.new(self._token or b"", text, sha256).hexdigest()


def _header(request: Request, name: str) -> str | None:
    """Return a header of a request, the last if it is there several times."""
    values = request.requestHeaders.getRawHeaders(name.encode("ascii")) or ()
    return values[-1].decode("latin-1") if values else None


def _cookie_name(request: Request) -> str:
    """Return the cookie's name: browsers send it to every port, and each has its own."""
    found = _HOST.fullmatch(_header(request, "Host") or "")
    return f"txremote-{found[2] if found and found[2] else 'admin'}"


def _is_of_this_machine(host: str) -> bool:
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found[1].strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)  # no name that could be made to point here
    except ValueError:
        return False
    return True
