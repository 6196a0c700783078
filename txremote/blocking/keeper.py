"""
`Keeper`: the thread that makes a `ReconnectingClient`'s connections, one after the other.

On each it logs in and calls ``on_connect``; then it waits until the connection has ended or the
server says that it stops, and perhaps serves it meanwhile.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from twisted.cred.error import UnauthorizedLogin

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.inbox import PendingAnswer
from txremote.blocking.reconnecting_client import STOPPING, ReconnectingClient
from txremote.errors import ConnectionLost, DeadReferenceError, ServerStopping
from txremote.eventloop.client_status import next_delay
from txremote.eventloop.login_refusals import check_answer, in_words, refused_login
from txremote.levels import Logger
from txremote.refs.netref import is_base_netref

_log = Logger("txremote")


def backoff(failures: int) -> float:
    """Return the seconds until the next try: 1 to 2, and half as much more for each failure."""
    return min(1.5 ** min(failures, 100), 60.0) + random.random()


class Keeper:
    """The thread that makes a client's connections."""

    def __init__(
        self,
        client: ReconnectingClient,
        login: tuple[str, str] | None,
        on_connect: Callable[[BlockingConnection], object] | None,
        retry_policy: Callable[[int], float],
        serve: bool,
    ) -> None:
        self._client = client
        self._login = login
        self._on_connect = on_connect
        self._retry_policy = retry_policy
        self._serve = serve
        self._waiter = PendingAnswer()
        self._reached = False  # whether the last try has found the server

    def start(self) -> None:
        """Start it. It ends with the client, or the program."""
        thread = threading.Thread(target=self._run, name="txremote reconnecting", daemon=True)
        self._client._keeper = thread
        thread.start()

    def _run(self) -> None:
        client, failures = self._client, 0
        while not client._closed:
            try:
                conn = self._connect()
            except UnauthorizedLogin as error:
                self._give_up(error)
                return
            except (Exception, SystemExit) as error:
                failures += 1
                self._failed(error)
            else:
                failures = 0
                self._until_left(conn)
            self._pause(next_delay(client, failures, self._retry_policy, backoff))

    def _connect(self) -> BlockingConnection:
        client = self._client
        with client._changed:
            status = client._status
            client._note("connecting", status.happened, status.error, status.tries + 1)
        self._reached = False
        conn = client._dial()
        self._reached = True
        protocol = conn.protocol

        waiter = self._waiter = PendingAnswer()

        def leave(happened: str, error: BaseException) -> None:
            client._left_behind(conn, happened, error)
            if self._serve:
                conn._pump.interrupt(waiter)

        def ended(error: BaseException) -> None:
            client._open.discard(conn)
            leave(f"lost: {protocol.why_ended}", error)

        def stopping() -> None:
            # calls in flight end on this one, which the server closes after the last of them
            leave(STOPPING, ServerStopping(STOPPING))

        client._open.add(conn)
        protocol.when_disconnected().addCallback(ended)
        try:
            client._check_open()
            self._introduce(conn)
            protocol.on_peer_stopping = stopping
            if self._serve:
                conn._pump.io.channel.interruptible()
            client._went_live(conn, self._serve)
        except BaseException:
            conn.close()
            raise
        return conn

    def _introduce(self, conn: BlockingConnection) -> None:
        root = conn.root
        if self._login is not None:
            user, password = self._login
            try:
                found = root.login(user, password)
            except Exception as error:
                refused = refused_login(error, user)
                if refused is error:
                    raise
                raise refused from error
            check_answer(found, user)
            if is_base_netref(found):
                conn._root = found
                conn.protocol.root = found.____ref__
        if self._on_connect is None:
            return
        try:
            self._on_connect(conn)
        except (ConnectionLost, DeadReferenceError, UnauthorizedLogin):
            raise
        except Exception:  # the user's own, who has to see where it came from
            _log.failure("on_connect of {client!r} failed", client=self._client)
            raise

    def _until_left(self, conn: BlockingConnection) -> None:
        client, pump, waiter = self._client, conn._pump, self._waiter
        while client._live is conn and not waiter.done:
            if self._serve:
                with suppress(KeyboardInterrupt):  # a callback's own: this is no main thread
                    pump.run_until(waiter, None)
            else:
                with client._changed:
                    if client._live is conn:
                        client._clock.wait(client._changed, None)

    def _failed(self, error: BaseException) -> None:
        client = self._client
        where = "connected, but" if self._reached else "no connection"
        with client._changed:
            client._note("connecting", f"{where}: {in_words(error)}", error)
        if not client._closed:
            _log.warn("{client!r}: {happened}", client=client, happened=client._status.happened)
        client._fail_calls()

    def _give_up(self, error: UnauthorizedLogin) -> None:
        client = self._client
        with client._changed:
            if client._closed:
                return
            client._refused = error
            client._note("refused", str(error), error)
        _log.error("{client!r}: {happened}", client=client, happened=client._status.happened)
        client._fail_calls()

    def _pause(self, seconds: float) -> None:
        client = self._client
        with client._changed:
            until = client._clock.seconds() + seconds
            if not client._closed:
                client._status = replace(client._status, state="waiting")
                client._next_try = until
            while not client._closed and client._clock.seconds() < until:
                client._clock.wait(client._changed, client._left(until))
