"""
A command that needs a server, and connects to it as a script does.

It has no reactor: to import one takes longer than most calls take.
"""

from __future__ import annotations

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.factory import connect_named
from txremote.eventloop.login_refusals import check_answer, refused_login
from txremote.not_reached import NotReached
from txremote.reaching import Server, check_logs_in, login_failed, not_connected
from txremote.refs.netref import BaseNetref
from txremote.servername import OTHER, ServerName
from txremote.service import VoidService


def scripts_know(name: ServerName) -> bool:
    """Tell whether a script can follow a name: it has no plugins, and lacks some options."""
    return name.kind != OTHER and name.options.keys().isdisjoint({"bindAddress", "endpoint"})


def reach_in_script(server: Server) -> BlockingConnection:
    """
    Connect to a server, and log in, with a thread that may wait; the root is the user's then.

    Raises:
        NotReached: It cannot be reached, or does not let this user in.
    """
    name = server.name if server.checked else server.name.unchecked()
    config = {"sync_request_timeout": server.timeout}
    try:
        conn = connect_named(
            name, VoidService, config, timeout=server.timeout, registry=server.registry
        )
    except Exception as problem:
        raise not_connected(server, problem) from None
    try:
        check_logs_in(server, conn.root.____ref__._pack[0])
        if server.login is not None:
            _log_in(conn, *server.login)
    except NotReached:
        conn.close()
        raise
    except Exception as problem:
        conn.close()
        raise login_failed(server, problem) from None
    return conn


def _log_in(conn: BlockingConnection, user: str, password: str) -> None:
    """Log in as `txremote.net.client_login.log_in` does."""
    try:
        found = conn.root.login(user, password)
    except Exception as error:
        raise refused_login(error, user) from None
    check_answer(found, user)
    if isinstance(found, BaseNetref):
        conn.protocol.root = found.____ref__
        conn._root = found
