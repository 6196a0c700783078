"""
``--auth scrypt:FILE``: a checker for files of hashed passwords, and of plain ones too.

An unknown user costs the same as a known one, a plain line the same as a hashed one: some password
is always hashed, so the time of an answer does not tell which names there are. It is done in the
threads of `txremote.passwords.threads`; how often an address may try is `LoginThrottle`'s matter.
"""

from __future__ import annotations

import hmac
import os
from typing import Final

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import ICheckerFactory
from twisted.internet.defer import Deferred
from twisted.plugin import IPlugin
from zope.interface import implementer

from txremote.levels import Logger
from txremote.passwords.hashes import USUAL, Hash, Parameters
from txremote.passwords.passwordfile import FreshPasswords, Passwords, read_passwords
from txremote.passwords.threads import HashingThreads
from txremote.work.loops import loop_here

_log = Logger("txremote")

#: Those of the process: however many services have a checker.
THREADS: Final = HashingThreads()


@implementer(ICredentialsChecker)
class ScryptChecker:
    """
    Lets in the users of a file as ``txremote passwd`` writes it.

    The file is read again when it has changed. A line that is wrong then is logged by its number,
    and is nobody's; without the file nobody can log in, and the log says why.

    Args:
        path: The file.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, path: str) -> None:
        self._file = FreshPasswords(path, lambda problem: _log.error("{it}", it=problem))

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Check a name and a password (`ICredentialsChecker`). UnauthorizedLogin: wrong."""
        name: bytes = credentials.username
        password: bytes = credentials.password

        def check() -> bytes:
            if not _is_right(self._file.now(), name, password):
                raise UnauthorizedLogin("wrong user or password")
            return name

        checking: Deferred[bytes | tuple[()]] = THREADS.run(loop_here("ScryptChecker"), check)
        return checking


def _is_right(known: Passwords, name: bytes, password: bytes) -> bool:
    """Check a password. It takes the same time whether there is such a user or not."""
    word = known.words.get(name)
    if isinstance(word, Hash):
        return word.matches(password)
    # nobody's password, but as costly as somebody's
    Hash(_parameters_of(known), b"txremote" * 2, bytes(32)).matches(password)
    return word is not None and hmac.compare_digest(word, password)


def _parameters_of(known: Passwords) -> Parameters:
    return next((word.parameters for word in known.words.values() if type(word) is Hash), USUAL)


@implementer(ICheckerFactory, IPlugin)
class ScryptFactory:
    """Makes the checker of ``scrypt:FILE`` (Twisted's plugin)."""

    authType = "scrypt"
    authHelp = (
        "A file with a line NAME:HASH for each user, as txremote passwd FILE NAME writes it. "
        "Lines NAME:PASSWORD, in plain text, are read as well."
    )
    argStringFormat = "Location of a file that txremote passwd has written."
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring: str) -> ScryptChecker:
        """Return the checker, or raise ValueError: all that is wrong with the file."""
        path = os.path.abspath(argstring)
        if not argstring.strip():
            raise ValueError("it takes a file: scrypt:FILE, which txremote passwd FILE USER writes")
        try:
            problems = read_passwords(path).problems
        except FileNotFoundError:
            raise ValueError(f"there is no file {argstring}") from None
        except OSError as problem:
            raise ValueError(f"cannot read {argstring}: {problem.strerror}") from None
        if problems:
            raise ValueError("; ".join(problems))
        return ScryptChecker(path)
