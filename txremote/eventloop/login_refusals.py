"""
Which errors of a login are refusals, of which no other try is made.

An exception is a refusal if its class has a name of a refusal, for a class that is not known
here arrives as a name alone: a `GenericException`.
"""

from __future__ import annotations

from twisted.cred.error import UnauthorizedLogin

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
