"""
The guards: names of the machine, other sites' pages, the token and the cookie.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.web.http import Request
from twisted.web.test.requesthelper import DummyChannel

from tests.monitor.web.made_up import TOKEN
from txremote.monitor.web.guards import COOKIE_SECONDS, Guard


def request(method: str = "GET", **headers: str) -> Any:
    """Return a request with some headers; names have ``_`` for ``-``."""
    made: Any = Request(DummyChannel())
    made.method = method.encode()
    for name, value in {"Host": "localhost:9180", **headers}.items():
        made.requestHeaders.addRawHeader(name.replace("_", "-").encode(), value.encode())
    made.parseCookies()
    return made


@pytest.mark.parametrize(
    ("host", "right"),
    [
        *(("localhost", True), ("localhost:9180", True), ("LOCALHOST.:80", True)),
        *(("127.0.0.1:9180", True), ("[::1]:9180", True), ("10.1.2.3", True)),
        *(("app.localhost:1", True), ("notlocalhost", False), ("localhost.evil.com", False)),
        *(("evil.com:9180", False), ("", False), ("127.0.0.1.evil.com", False)),
        *(("localhost:9180:1", False), ("evil.com/localhost", False), ("127.0.0.1@evil", False)),
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str, right: bool) -> None:
    """Addresses and localhost can be no other site's; TLS and UNIX sockets need no such check."""
    wrong = Guard(TOKEN).wrong_place(request(Host=host))
    assert (wrong is None) is right
    assert right or "open the page as localhost or by its address" in str(wrong)
    assert Guard(TOKEN, any_host=True).wrong_place(request(Host=host)) is None


def test_a_request_without_a_host_is_no_browsers() -> None:
    """Health checks of HTTP/1.0 send none."""
    made = request()
    made.requestHeaders.removeHeader("Host")
    assert Guard(TOKEN).wrong_place(made) is None
    made.requestHeaders.addRawHeader("Origin", "http://localhost")
    assert Guard(TOKEN).wrong_place(made) is not None


@pytest.mark.parametrize(
    ("headers", "right"),
    [
        ({"Origin": "http://localhost:9180"}, True),
        ({"Origin": "http://localhost:8000"}, False),
        ({"Origin": "http://evil.com"}, False),
        ({"Origin": "null"}, False),
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "none"}, True),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"}, False),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"}, False),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, True),
        (
            {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "method": "POST"},
            False,
        ),
    ],
)
def test_another_sites_page_can_link_here_and_no_more(headers: dict[str, str], right: bool) -> None:
    """Another port of this machine is another site."""
    assert (Guard(TOKEN).wrong_place(request(**headers)) is None) is right


def test_the_token() -> None:
    """Shown as Bearer; None where nothing is shown."""
    guard = Guard(TOKEN)
    bearer = f"bearer {TOKEN.decode()}"
    assert guard.knows(request(Authorization=bearer)) is True
    assert guard.knows(request(Authorization=f"{bearer}x")) is False
    assert guard.knows(request(Authorization="Bearer ")) is False
    assert guard.knows(request(Authorization="Basic abc")) is None
    assert guard.knows(request()) is None
    assert Guard(None).knows(request()) is True
    assert not Guard(None).is_token(b"")


def test_the_cookie_holds_for_its_time_and_its_token() -> None:
    """It survives a restart; what is forged, expired, of another token or port is none."""
    time = [1000.0]
    guard = Guard(TOKEN, now=lambda: time[0])
    name, _equals, value = guard.new_cookie(request()).partition(";")[0].partition("=")
    assert name == "txremote-9180"
    with_cookie = request(Cookie=f"other=1; {name}={value}")
    assert guard.knows(with_cookie) is True
    assert Guard(TOKEN, now=lambda: time[0]).knows(with_cookie) is True
    assert Guard(TOKEN + b"x", now=lambda: time[0]).knows(with_cookie) is None
    for forged in (f"9{value}", value[:-1], "", ".", "1.\u00e9", f"{value}.1"):
        assert guard.knows(request(Cookie=f"{name}={forged}")) is None
    assert guard.knows(request(Host="localhost:9181", Cookie=f"{name}={value}")) is None
    time[0] += COOKIE_SECONDS
    assert guard.knows(with_cookie) is None
    assert "; Secure" in Guard(TOKEN, secure=True).new_cookie(request())


def test_a_change_needs_the_second_value_where_the_cookie_is_shown() -> None:
    """A program that shows the token needs none, and neither does a socket of this account."""
    guard = Guard(TOKEN)
    cookie = guard.new_cookie(request()).partition(";")[0]
    assert not guard.may_change(request(Cookie=cookie))
    csrf = guard.csrf(request(Cookie=cookie))
    assert guard.may_change(request(Cookie=cookie, X_CSRF_Token=csrf))
    assert not guard.may_change(request(Cookie=f"{cookie}x", X_CSRF_Token=csrf))
    assert guard.may_change(request(Authorization="Bearer x"))
    assert Guard(None).may_change(request())
