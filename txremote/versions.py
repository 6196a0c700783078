"""The versions that a report of a bug needs: of this package, Twisted and Python."""

from __future__ import annotations

import platform
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec

from twisted import __version__ as twisted_version


def own_version() -> str:
    """Return this package's version. It stands in the package itself, which imports all others."""
    return str(getattr(sys.modules["txremote"], "__version__", ""))


def build_text() -> str:
    """Return what this package runs on, but for Python."""
    return f"Twisted {twisted_version}"


def python_text() -> str:
    """Return which Python this is."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def code_text() -> str:
    """Return ``compiled`` where mypyc has compiled the way of a call, else ``pure Python``."""
    found = find_spec("txremote.wire.brine")  # asked without importing it
    compiled = found is not None and isinstance(found.loader, ExtensionFileLoader)
    return "compiled" if compiled else "pure Python"


def version_line() -> str:
    """Return what ``--version`` prints, of ``txremote`` and of ``twistd txremote``."""
    return f"txremote {own_version()} ({build_text()}, {python_text()}, {code_text()})"
