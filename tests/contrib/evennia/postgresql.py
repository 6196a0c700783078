"""
A PostgreSQL of its own for a game: a cluster in a temporary folder, on a free port of loopback.

It is the system's ``postgres``, which refuses to run as root: there it runs as another user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.contrib.evennia.game import wait_for_port
from tests.processes import free_port

#: Whom it may run as instead of root, the first that there is.
USERS = ("postgres", "nobody")

SETTINGS = """
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "evennia",
        "HOST": "127.0.0.1",
        "PORT": {port},
    }}
}}
"""


def programs() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``, or None: they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    if named:
        found.append(Path(named).resolve())
    return found[-1].parent if found else None


def why_not() -> str | None:
    """Return why no PostgreSQL can be run, or None if one can."""
    if programs() is None:
        return "no PostgreSQL: apt-get install postgresql"
    if os.getuid() == 0 and not (shutil.which("setpriv") and _user()):
        return "PostgreSQL does not run as root, and there is no user or no setpriv for it"
    return None


def _user() -> str | None:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in USERS if name in names), None)


def _as_user() -> list[str]:
    """Return the words before a command that has to run as another user than root."""
    if os.getuid():
        return []
    user = str(_user())
    group = pwd.getpwnam(user).pw_gid
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]


@contextmanager
def postgresql() -> Iterator[str]:
    """
    Have a PostgreSQL run.

    Yields:
        The lines of a game's settings by which it is used.
    """
    folder = programs()
    assert folder is not None
    port = free_port()
    place = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if not os.getuid():
            shutil.chown(place, str(_user()))
        data = place / "data"
        options = ("-U", "evennia", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        subprocess.run(
            [*_as_user(), folder / "initdb", "-D", data, *options],
            check=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        changed = [f"port={port}", "listen_addresses=127.0.0.1", "fsync=off"]
        changed += [f"unix_socket_directories={place}", "shared_buffers=16MB"]
        words = [word for each in changed for word in ("-c", each)]
        server = subprocess.Popen(
            [*_as_user(), folder / "postgres", "-D", data, *words],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_port(port)
            yield SETTINGS.format(port=port)
        finally:
            server.send_signal(signal.SIGQUIT)  # an immediate shutdown: nobody needs the data
            server.wait(30)
    finally:
        shutil.rmtree(place, ignore_errors=True)
