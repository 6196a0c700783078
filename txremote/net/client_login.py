"""
Logging in as RPyC's clients do: ``root.login(user, password)``.

Its result is the root from then on, if it is a reference. Which exceptions are refusals says
`txremote.eventloop.login_refusals`.
"""

from __future__ import annotations

from txremote.eventloop.login_refusals import check_answer, refused_login
from txremote.peer.connection import Connection
from txremote.refs.reference import RemoteReference
from txremote.refs.value_calls import described_methods, note_plans
from txremote.wire.consts import FEATURE_VALUES, HANDLE_DESCRIBE


async def log_in(connection: Connection, user: str, password: str) -> None:
    """
    Log in on a connection whose root is fetched; the result takes the place of its root.

    Raises:
        UnauthorizedLogin: the server refuses, by an exception or by answering False.
    """
    try:
        found = await connection.root.login(user, password)
    except Exception as error:
        refused = refused_login(error, user)
        if refused is error:
            raise
        raise refused from error
    check_answer(found, user)
    if isinstance(found, RemoteReference):
        connection.root = found
        if FEATURE_VALUES in connection.features:
            described = await connection.request(HANDLE_DESCRIBE, found._pack)
            note_plans(found, described_methods(described))
