"""What tests of limited sources ask the machine: is there a sandbox, and what is left behind."""

from __future__ import annotations

import subprocess
from functools import lru_cache

import psutil

from tests.work.child_processes import descriptors
from txremote.errors import NoSandbox
from txremote.work.limited.sandbox import boxed, interpreter, restricted_python


@lru_cache(maxsize=1)
def why_no_sandbox() -> str:
    """Return why bubblewrap makes no sandbox on this machine; nothing if it does."""
    try:
        command = boxed((interpreter(), "-I", "-S", "-c", "pass"), restricted_python())
    except NoSandbox as problem:
        return str(problem)
    words = list(command.arguments)
    at = words.index("--info-fd")
    del words[at : at + 2]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    return done.stderr if done.returncode else ""


def remains() -> tuple[set[int], int]:
    """Return all that this process has started, and what that has; and the open descriptors."""
    return {each.pid for each in psutil.Process().children(recursive=True)}, descriptors()


def named(text: str) -> list[int]:
    """Return the processes of this machine that have a text in their command."""
    return [
        each.pid
        for each in psutil.process_iter(["cmdline"])
        if any(text in word for word in each.info["cmdline"] or [])
    ]
