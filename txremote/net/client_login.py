"""
Logging in as RPyC's clients do: ``root.login(user, password)``.

Its result is the root from then on, if it is a reference. An exception is a refusal if its
class has a name of a refusal, for a class that is not known here arrives as a name alone: a
`GenericException`.
"""

from __future__ import annotations

from twisted.cred.error import UnauthorizedLogin

from txremote.peer.connection import Connection
from txremote.refs.reference import RemoteReference
from txremote.refs.value_calls import described_methods, note_plans
from txremote.wire.consts import FEATURE_VALUES, HANDLE_DESCRIBE

# twisted.cred.error's, rpyc.utils.authenticators', and what services raise that know neither
_REFUSALS = frozenset(
    {
        "AuthenticationError",
        "LoginDenied",
        "LoginFailed",
        "PermissionError",
        "Unauthorized",
        "UnauthorizedLogin",
        "UnhandledCredentials",
    }
)


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


def refused_login(error: Exception, user: str) -> Exception:
    """Return an UnauthorizedLogin for what a login raised, if that is a refusal; else the error."""
    names = {kind.__name__.rpartition(".")[2] for kind in type(error).__mro__}
    if names.isdisjoint(_REFUSALS):
        return error
    return UnauthorizedLogin(f"the login of {user!r} was refused: {in_words(error)}")


def check_answer(found: object, user: str) -> None:
    """Raise UnauthorizedLogin if a login has returned False."""
    if found is False:
        raise UnauthorizedLogin(f"the login of {user!r} was refused: it returned False")


def in_words(error: BaseException) -> str:
    """Return an exception's class and the first line of its text; a remote traceback is below."""
    lines = str(error).splitlines()
    name = type(error).__name__.rpartition(".")[2]
    return f"{name}: {lines[0]}" if lines and lines[0] else name
