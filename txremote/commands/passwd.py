"""
``txremote passwd``: a user's line in a file for ``--auth scrypt:FILE``.

The password is asked for twice, or read from standard input, and is never an argument: the process
list shows those to everyone. Exit status: 0 done, 1 the two differ or there is no such user, 2 the
file, the name or the password cannot be taken, 130 ended by Ctrl-C.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from txremote.commands.command import Command
from txremote.net.login import LONGEST
from txremote.passwords.hashes import Hash, hash_of
from txremote.passwords.passwordfile import check_name, set_password
from txremote.printing import DONE, FAILED, INTERRUPTED, NOT_MADE, complain
from txremote.reaching import asked_for


def _declare(passwd: ArgumentParser) -> None:
    add = passwd.add_argument
    add("file", metavar="FILE", help="the file; it is made if it is not there, with mode 0600")
    add("user", metavar="USER", help="the name of the user")
    add("--stdin", action="store_true", help="read the password from the first line of a pipe")
    add("--delete", action="store_true", help="delete the user's line")


def _run(options: Namespace) -> int:
    try:
        if options.delete and options.stdin:
            raise ValueError("--delete needs no password: leave out --stdin")
        check_name(options.user)
        word = None if options.delete else _hash_of(_new_password(options))
        found = set_password(options.file, options.user, word)
    except KeyboardInterrupt:
        return INTERRUPTED
    except _TwoPasswords as problem:
        complain(str(problem))
        return FAILED
    except OSError as problem:
        complain(f"cannot write {options.file}: {problem.strerror or problem}")
        return NOT_MADE
    except ValueError as problem:
        complain(str(problem))
        return NOT_MADE
    if options.delete and not found:
        complain(f"{options.file} has no user {options.user}")
        return FAILED
    return DONE


class _TwoPasswords(Exception):
    """The password was not the same the second time."""


def _new_password(options: Namespace) -> str:
    if options.stdin:
        password = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    else:
        password = asked_for(f"New password of {options.user}: ", "--stdin")
        if asked_for("The same again: ", "--stdin") != password:
            raise _TwoPasswords("the two are not the same: nothing was changed")
    if not password:
        raise ValueError("a password has a character at least")
    if len(password.encode("utf-8", "surrogatepass")) > LONGEST:
        raise ValueError(f"a password has {LONGEST} bytes at most")
    return password


def _hash_of(password: str) -> Hash:
    return hash_of(password.encode("utf-8", "surrogatepass"))


PASSWD = Command(
    "passwd",
    "write a user's password, hashed, for --auth scrypt:FILE",
    "Write or delete a user's line in a file for twistd txremote --auth scrypt:FILE. The password "
    "is asked for.",
    _declare,
    _run,
)
