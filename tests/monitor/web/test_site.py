"""
Each route of the admin site, and what it says to those whom it refuses.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.monitor.web.made_up import HOSTILE, TOKEN, MadeUpMonitor, served
from txremote.monitor import rows
from txremote.monitor.web import site as site_module
from txremote.monitor.web.events import VIEWS
from txremote.monitor.web.guards import SECURITY_HEADERS, Guard


@pytest.fixture(autouse=True)
def wrong_tokens_are_answered_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long they take is another test's."""
    monkeypatch.setattr(site_module, "WRONG_TOKEN_SECONDS", 0.0)


@pytest_twisted.ensureDeferred
async def test_the_page_and_its_files_need_no_token() -> None:
    """They have no data; each has its type, and every answer the headers that keep it safe."""
    async with served(MadeUpMonitor()) as (_site, client):
        page = await client.ask("/", token=None)
        assert (page.code, page.header("Content-Type")) == (200, "text/html; charset=utf-8")
        assert "<script" in page.text
        assert "<script>" not in page.text
        for name, content_type in (("app.js", "text/javascript"), ("page.css", "text/css")):
            assert f"assets/{name}" in page.text
            asset = await client.ask(f"/assets/{name}", token=None)
            assert asset.header("Content-Type") == f"{content_type}; charset=utf-8"
            assert asset.body
        for answer in (page, asset, await client.ask("/nowhere")):
            for header, value in SECURITY_HEADERS.items():
                assert answer.header(header) == value
        assert "default-src 'none'" in page.header("Content-Security-Policy")
        assert (await client.ask("/assets/..%2fsite.py", token=None)).code == 404


@pytest_twisted.ensureDeferred
async def test_health_needs_no_token_and_tells_only_reasons() -> None:
    """Healthy and ready are two things: while it drains it is healthy."""
    monitor = MadeUpMonitor()
    async with served(monitor) as (_site, client):
        for path in ("/healthz", "/readyz"):
            answer = await client.ask(path, token=None)
            assert (answer.code, answer.text) == (200, "ok\n")
        monitor.healthy = rows.Health(True, False, ("the server is stopping",))
        assert (await client.ask("/healthz", token=None)).code == 200
        answer = await client.ask("/readyz", token=None)
        assert (answer.code, answer.text) == (503, "not ok\nthe server is stopping\n")


@pytest_twisted.ensureDeferred
async def test_every_table_is_there_as_json() -> None:
    """Rows as the monitor has them; hostile text is a JSON string."""
    async with served(MadeUpMonitor()) as (_site, client):
        for name in rows.ROWS:
            answer = await client.ask(f"/api/{name}.json")
            assert (answer.code, answer.header("Content-Type")) == (200, "application/json")
            assert isinstance(answer.value, list)
        found = await client.ask("/api/connections.json?filter=IMG&sort=-requests")
        assert [each["user"] for each in found.value] == [HOSTILE]
        found = await client.ask("/api/connections.json?sort=-requests&limit=2")
        assert [each["number"] for each in found.value] == [2, 3]
        assert found.header("X-Total-Count") == "3"
        assert (await client.ask("/api/overview.json")).value["version"] == "1.2.3"
        assert (await client.ask("/api/series.json")).value["at"] == [5.0, 10.0]


@pytest_twisted.ensureDeferred
async def test_metrics_get_what_the_client_accepts() -> None:
    """Prometheus says which format it wants."""
    async with served(MadeUpMonitor()) as (_site, client):
        answer = await client.ask("/metrics", Accept="application/openmetrics-text")
        assert answer.header("Content-Type") == "text/plain; version=1"
        assert answer.text == "metrics for application/openmetrics-text\n"
        no_text: Any = b"text/plain; version=\xff"
        assert (await client.ask("/metrics", Accept=no_text)).code == 200


@pytest_twisted.ensureDeferred
async def test_the_output_of_a_task_can_be_followed() -> None:
    """Its console's name may have blanks in it."""
    async with served(MadeUpMonitor()) as (_site, client):
        output = await client.ask("/api/tasks/night%20shift/4/output.json?since=7")
        assert output.value == {"first": 7, "lines": ["a line"], "next": 8, "ended": False}
        assert (await client.ask("/api/tasks/night%20shift/5/output.json")).code == 404
        assert (await client.ask("/api/tasks/night%20shift/4/output.json?since=-1")).code == 400


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/api/connections.json?limit=0", 400, "limit is a number from 1 to 1000"),
        ("/api/connections.json?limit=x", 400, "limit is a number"),
        ("/api/connections.json?sort=color", 400, "sort is one of number, server, user"),
        ("/api/connections.json?filter=" + "x" * 201, 400, "at most 200 characters"),
        ("/events?view=nothing", 404, f"there are {', '.join(VIEWS)}"),
        ("/api/nothing.json", 404, "there is no such page"),
        ("/%2e%2e/etc", 404, "there is no such page"),
        ("/api/connections/2/close", 405, "takes POST only"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_a_sentence(
    path: str, code: int, says: str
) -> None:
    """It says what would make sense."""
    async with served(MadeUpMonitor()) as (_site, client):
        answer = await client.ask(path)
        assert answer.code == code
        assert says in answer.text
        assert answer.header("Content-Type") == "text/plain; charset=utf-8"


@pytest_twisted.ensureDeferred
async def test_methods() -> None:
    """HEAD gives the head of GET, events included; others are told what there is."""
    async with served(MadeUpMonitor()) as (_site, client):
        for path in ("/", "/api/overview.json", "/metrics"):
            head, answer = await client.ask(path, "HEAD"), await client.ask(path)
            assert (head.code, head.body) == (200, b"")
            assert head.header("Content-Length") == str(len(answer.body))
        events = await client.ask("/events", "HEAD")
        assert events.header("Content-Type") == "text/event-stream"
        for method in ("POST", "DELETE", "OPTIONS"):
            answer = await client.ask("/api/overview.json", method)
            assert (answer.code, answer.header("Allow")) == (405, "GET, HEAD")


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "path", ["/metrics", "/events", "/api/overview.json", "/api/session.json", "/nowhere"]
)
async def test_nothing_else_is_told_without_the_token(path: str) -> None:
    """Not even which paths there are."""
    async with served(MadeUpMonitor()) as (_site, client):
        answer = await client.ask(path, token=None)
        assert (answer.code, answer.header("WWW-Authenticate")) == (401, 'Bearer realm="txremote"')
        assert "Authorization: Bearer TOKEN" in answer.text
        answer = await client.ask(path, token=TOKEN[:-1])
        assert (answer.code, answer.text) == (403, "this is not the token of the admin site\n")


@pytest_twisted.ensureDeferred
async def test_changes_with_the_switch_that_allows_them_and_without() -> None:
    """Somebody is named to the monitor, which logs it."""
    monitor = MadeUpMonitor()
    close, kill = "/api/connections/2/close", "/api/tasks/night%20shift/4/kill"
    async with served(monitor) as (_site, client):
        for path in (close, kill):
            answer = await client.ask(path, "POST", body=b"")
            assert (answer.code, "--admin-write" in answer.text) == (403, True)
        assert monitor.done == []
        monitor.can_write = True
        assert [(await client.ask(path, "POST", body=b"")).code for path in (close, kill)] == [
            200,
            200,
        ]
        [closed, killed] = monitor.done
        assert closed[:2] == ("close", 2)
        assert killed[:3] == ("kill", "night shift", 4)
        assert "the admin page, from 127.0.0.1:" in str(killed[3])
        for path in ("/api/connections/99/close", "/api/tasks/other/4/kill"):
            assert (await client.ask(path, "POST", body=b"")).code == 404


@pytest_twisted.ensureDeferred
async def test_the_page_logs_in_once_and_has_a_cookie() -> None:
    """With the cookie it may look; to change something it needs the second value."""
    monitor = MadeUpMonitor()
    monitor.can_write = True
    async with served(monitor) as (_site, client):
        wrong = await client.ask("/login", "POST", token=None, body=b"guess")
        assert (wrong.code, wrong.header("Set-Cookie")) == (403, None)
        right = await client.ask("/login", "POST", token=None, body=TOKEN + b"\n")
        cookie, *attributes = right.header("Set-Cookie").split("; ")
        assert right.code == 204
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
        assert TOKEN.decode() not in cookie
        me: dict[str, Any] = {"token": None, "Cookie": cookie}
        session = (await client.ask("/api/session.json", **me)).value
        assert session["can_write"] is True
        path = "/api/connections/2/close"
        assert (await client.ask(path, "POST", body=b"", **me)).code == 403
        assert monitor.done == []
        me["X_CSRF_Token"] = session["csrf"]
        assert (await client.ask(path, "POST", body=b"", **me)).code == 200
        left = await client.ask("/logout", "POST", body=b"", **me)
        assert "Max-Age=0" in left.header("Set-Cookie")


@pytest_twisted.ensureDeferred
async def test_a_failure_of_the_monitor_is_logged_and_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next request is answered."""
    monitor = MadeUpMonitor()
    async with served(monitor) as (_site, client):
        monkeypatch.setattr(monitor, "overview", lambda: 1 / 0)
        answer = await client.ask("/api/overview.json")
        assert (answer.code, answer.text) == (500, "this failed: the server's log says why\n")
        assert (await client.ask("/api/series.json")).code == 200


def test_a_wrong_token_is_answered_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection tries one a second at most; the right one is never kept waiting."""
    monkeypatch.undo()
    clock = Clock()
    site = site_module.AdminSite(MadeUpMonitor(), Guard(TOKEN), lambda *_: ("", b""), clock)  # type: ignore[arg-type]

    def ask(token: str) -> StringTransport:
        channel, transport = site.buildProtocol(None), StringTransport()
        channel.makeConnection(transport)
        request = (
            f"GET /api/series.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}"
        )
        channel.dataReceived(f"{request}\r\n\r\n".encode())
        return transport

    wrong, right = ask("wrong"), ask(TOKEN.decode())
    assert wrong.value() == b""
    assert right.value().startswith(b"HTTP/1.1 200 ")
    clock.advance(site_module.WRONG_TOKEN_SECONDS)
    assert wrong.value().startswith(b"HTTP/1.1 403 ")
