"""The versions that a report of a bug needs: of this package, Twisted and Python."""

from __future__ import annotations

import platform
import sys

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


def version_line() -> str:
    """Return what ``--version`` prints, of ``txremote`` and of ``twistd txremote``."""
    return f"txremote {own_version()} ({build_text()}, {python_text()}, pure Python)"
