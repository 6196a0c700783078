"""
The routes of the admin site, and what stands before each of them.

A request passes the guards in this order: it comes from no other site's page; it shows the token,
unless the page's own files or the health are asked for; a change has the page's second value, too.
Every refusal is one sentence of plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from txremote.levels import Logger
from txremote.monitor.fresh import when_fresh
from txremote.monitor.monitor import Monitor
from txremote.monitor.rows import ROWS
from txremote.monitor.web.assets import read_assets
from txremote.monitor.web.channel import BoundedRequest, ChannelFactory
from txremote.monitor.web.events import MOST_STREAMS, VIEWS, Streams
from txremote.monitor.web.guards import SECURITY_HEADERS, Guard
from txremote.monitor.web.tables import choice_of, choose, read_table
from txremote.peer.logging import RateLimitedCount
from txremote.peer.naming import address_text

_log = Logger("txremote")

#: Seconds until a wrong token is answered. A connection can try no other meanwhile.
WRONG_TOKEN_SECONDS: Final = 1.0

_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"

#: Gives Prometheus's text for what a client accepts: (content type, body).
Exposition = Callable[[Monitor, str], tuple[str, bytes]]


@dataclass(frozen=True)
class Answer:
    """An answer to a request."""

    body: bytes = b""
    content_type: str = _TEXT
    code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def sentence(code: int, text: str, **headers: str) -> Answer:
    """Return an answer of one sentence."""
    return Answer(f"{text}\n".encode(), _TEXT, code, headers)


def in_json(value: object, **headers: str) -> Answer:
    """Return a value as JSON."""
    return Answer(msgspec.json.encode(value), _JSON, 200, headers)


class AdminRequest(BoundedRequest):
    """One request of the site."""

    def process(self) -> None:
        """Called when it is there."""
        site = self.channel.factory
        assert isinstance(site, AdminSite)
        answer: Handler = site.answer
        answering: Deferred[Answer | None] = maybeDeferred(answer, self)
        gone = False

        def left(_reason: object) -> None:
            nonlocal gone
            gone = True
            answering.cancel()

        def failed(failure: Failure) -> Answer | None:
            if not gone:
                _log.failure("{method} {path} failed", failure, method=self.method, path=self.path)
            return sentence(500, "this failed: the server's log says why")

        def reply(answer: Answer | None) -> None:
            if answer is not None and not gone:
                self.reply(answer)

        if not answering.called:
            self.notifyFinish().addErrback(left)
        answering.addErrback(failed).addCallback(reply)

    def head(self, answer: Answer) -> None:
        """Set the head of an answer."""
        self.setResponseCode(answer.code)
        for name, value in {**SECURITY_HEADERS, **answer.headers}.items():
            self.responseHeaders.setRawHeaders(name.encode(), [value.encode()])
        self.responseHeaders.setRawHeaders(b"Content-Type", [answer.content_type.encode()])

    def reply(self, answer: Answer) -> None:
        """Send an answer."""
        self.head(answer)
        if answer.code not in (204, 304):
            self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
        self.write(answer.body)  # type: ignore[no-untyped-call]
        self.finish()  # type: ignore[no-untyped-call]


Handler = Callable[..., Any]


class AdminSite(ChannelFactory):
    """
    The site. For the reactor's thread.

    Args:
        guard: Decides who may do what.
        exposition: Gives the metrics.
        clock: A steady clock.
    """

    request_class = AdminRequest

    def __init__(
        self, monitor: Monitor, guard: Guard, exposition: Exposition, clock: IReactorTime
    ) -> None:
        super().__init__(clock)
        self.streams = Streams(monitor)
        self._monitor = monitor
        self.guard = guard
        self._exposition = exposition
        self._assets = read_assets()
        self._wrong_tokens = RateLimitedCount()
        # by the method, and the path as a regular expression
        self._open: list[tuple[str, re.Pattern[str], Handler]] = _compiled(
            ("GET", "/", self._page),
            ("GET", "/assets/([^/]+)", self._asset),
            ("GET", "/healthz", self._healthy),
            ("GET", "/readyz", self._ready),
            ("POST", "/login", self._login),
        )
        self._guarded = _compiled(
            ("GET", "/metrics", self._metrics),
            ("GET", "/events", self._events),
            ("GET", "/api/session.json", self._session),
            ("GET", "/api/overview.json", lambda _request: in_json(monitor.overview())),
            ("GET", "/api/series.json", lambda _request: in_json(monitor.series())),
            ("GET", f"/api/({'|'.join(ROWS)})\\.json", self._table),
            ("GET", r"/api/tasks/([^/]+)/(\d{1,9})/output\.json", self._output),
            ("POST", "/logout", self._logout),
            ("POST", r"/api/connections/(\d{1,15})/close", self._close),
            ("POST", r"/api/tasks/([^/]+)/(\d{1,9})/kill", self._kill),
        )

    def logPrefix(self) -> str:
        """Return its name for Twisted's log."""
        return "txremote admin site"

    def answer(self, request: AdminRequest) -> Answer | Deferred[Answer | None] | None:
        """Return the answer to a request, or a Deferred; None where it is given elsewhere."""
        wrong = self.guard.wrong_place(request)
        if wrong is not None:
            return sentence(403, wrong)
        method = "GET" if request.method == b"HEAD" else request.method.decode("latin-1")
        path = request.path.decode("latin-1")
        found = _find(self._open, method, path)
        if found is None:
            known = self.guard.knows(request)
            if known is None:
                words = "this needs the token of the admin site: Authorization: Bearer TOKEN"
                return sentence(401, words, **{"WWW-Authenticate": 'Bearer realm="txremote"'})
            if not known:
                self._wrong_token(request)
                return None
            request.channel.known = True
            found = _find(self._guarded, method, path)
            if method != "GET" and not self.guard.may_change(request):
                return sentence(403, "the page is out of date: load it anew")
        if isinstance(found, tuple):
            handler, arguments = found
            if request.channel.known:
                return when_fresh(self._monitor, lambda: handler(request, *arguments))
            return handler(request, *arguments)  # type: ignore[no-any-return]
        if found is not None:
            return sentence(405, f"{path} takes {found} only", Allow=_allowed(found))
        return sentence(404, "there is no such page: the first is /, and /api/overview.json")

    # -- open to everybody who can connect

    def _page(self, _request: AdminRequest) -> Answer:
        return Answer(self._assets["page.html"].content, self._assets["page.html"].content_type)

    def _asset(self, _request: AdminRequest, name: str) -> Answer:
        asset = self._assets.get(name)
        if asset is None:
            return sentence(404, "the page has no such file: load it anew")
        return Answer(asset.content, asset.content_type)

    def _healthy(self, _request: AdminRequest) -> Answer:
        health = self._monitor.health()
        return _verdict(health.healthy, health.reasons)

    def _ready(self, _request: AdminRequest) -> Answer:
        health = self._monitor.health()
        return _verdict(health.ready, health.reasons)

    def _login(self, request: AdminRequest) -> Answer | None:
        if self.guard.knows(request):
            return Answer(code=204)
        if not self.guard.is_token(request.content.read().strip()):
            self._wrong_token(request)
            return None
        return Answer(code=204, headers={"Set-Cookie": self.guard.new_cookie(request)})

    def _wrong_token(self, request: AdminRequest) -> None:
        count = self._wrong_tokens.one_more(self.clock.seconds())
        if count:
            _log.warn(
                "{count} wrong {tokens} for the admin site, the last from {peer}",
                count=count,
                tokens="token" if count == 1 else "tokens",
                peer=address_text(request.client),
            )
        words = sentence(403, "this is not the token of the admin site")
        later = self.clock.callLater(WRONG_TOKEN_SECONDS, request.reply, words)

        def gone(_reason: object) -> None:
            if later.active():
                later.cancel()

        request.notifyFinish().addErrback(gone)

    # -- for those who know the token

    def _metrics(self, request: AdminRequest) -> Answer:
        accepted = request.requestHeaders.getRawHeaders(b"Accept") or [b"*/*"]
        content_type, body = self._exposition(self._monitor, accepted[-1].decode("latin-1"))
        return Answer(body, content_type)

    def _session(self, request: AdminRequest) -> Answer:
        return in_json(
            {
                "csrf": self.guard.csrf(request),
                "can_write": self._monitor.overview().can_write,
                "views": list(VIEWS),
            }
        )

    def _table(self, request: AdminRequest, name: str) -> Answer:
        try:
            choice = choice_of(request.args, name)
        except ValueError as problem:
            return sentence(400, str(problem))
        cut = choose(read_table(self._monitor, name), choice)
        return in_json(cut.rows, **{"X-Total-Count": str(cut.total)})

    def _output(
        self, request: AdminRequest, console: str, number: str
    ) -> Answer | Deferred[Answer]:
        since = request.args.get(b"since", [b"0"])[-1]
        if not (since.isdigit() and len(since) < 16):
            return sentence(400, "since is the number of a line")
        ask: Callable[..., Any] = self._monitor.task_output
        asked: Deferred[Any] = maybeDeferred(ask, unquote(console), int(number), int(since))

        def failed(failure: Failure) -> Answer:
            failure.trap(LookupError)
            return sentence(404, "there is no such task any more")

        answered: Callable[..., Any] = in_json
        answering: Deferred[Answer] = asked.addCallback(answered).addErrback(failed)
        return answering

    def _events(self, request: AdminRequest) -> Answer | None:
        view = request.args.get(b"view", [b"overview"])[-1].decode("latin-1")
        if view not in VIEWS:
            return sentence(404, f"there is no such view: there are {', '.join(VIEWS)}")
        try:
            choice = choice_of(request.args, VIEWS[view][0])
        except ValueError as problem:
            return sentence(400, str(problem))
        answer = Answer(content_type="text/event-stream")
        if request.method == b"HEAD":
            return answer
        if len(self.streams) >= MOST_STREAMS:
            words = f"{MOST_STREAMS} pages are open already: close one"
            return sentence(503, words, **{"Retry-After": "10"})
        request.head(answer)
        self.streams.open(request, view, choice)
        return None

    def _logout(self, request: AdminRequest) -> Answer:
        return Answer(code=204, headers={"Set-Cookie": self.guard.no_cookie(request)})

    def _close(self, request: AdminRequest, number: str) -> Deferred[Answer]:
        return self._changed(
            "there is no such connection any more",
            lambda: self._monitor.close_connection(int(number), by=_by(request)),
        )

    def _kill(self, request: AdminRequest, console: str, number: str) -> Deferred[Answer]:
        return self._changed(
            "there is no such task any more, or it has ended",
            lambda: self._monitor.kill_task(unquote(console), int(number), by=_by(request)),
        )

    @staticmethod
    def _changed(not_there: str, change: Callable[[], bool | Deferred[bool]]) -> Deferred[Answer]:
        def changed(done: bool) -> Answer:
            return in_json(None) if done else sentence(404, not_there)

        def failed(failure: Failure) -> Answer:
            if failure.trap(PermissionError, LookupError) is PermissionError:
                words = "this page only looks: --admin-write lets it close and kill"
                return sentence(403, words)
            return sentence(404, not_there)

        act: Callable[[], Any] = change
        changing: Deferred[Any] = maybeDeferred(act)
        return changing.addCallbacks(changed, failed)


def _compiled(*routes: tuple[str, str, Handler]) -> list[tuple[str, re.Pattern[str], Handler]]:
    return [(method, re.compile(path), handler) for method, path, handler in routes]


def _find(
    routes: Iterable[tuple[str, re.Pattern[str], Handler]], method: str, path: str
) -> tuple[Handler, tuple[str, ...]] | str | None:
    """Return the handler and the words of a path, or the method that the path takes, or None."""
    for takes, pattern, handler in routes:
        found = pattern.fullmatch(path)
        if found is not None:
            return (handler, found.groups()) if takes == method else takes
    return None


def _allowed(method: str) -> str:
    return "GET, HEAD" if method == "GET" else method


def _verdict(good: bool, reasons: Iterable[str]) -> Answer:
    if good:
        return sentence(200, "ok")
    return sentence(503, "\n".join(("not ok", *reasons)))


def _by(request: AdminRequest) -> str:
    """Return who has asked for a change, for the log."""
    return f"the admin page, from {address_text(request.client)}"
