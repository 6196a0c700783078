"""
What the run was made on.
"""

from __future__ import annotations

import os
import platform
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path


def cpu_model() -> str:
    """Return what the processor calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:  # no Linux
        pass
    return platform.processor() or platform.machine()


def version(distribution: str) -> str:
    """Return the version of what is installed, or "-"."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "-"


def offers(name: str) -> bool:
    """Tell whether the installed txremote has a name or a part; "" is none and always there."""
    import txremote

    try:
        return not name or hasattr(txremote, name) or find_spec(f"txremote.{name}") is not None
    except ModuleNotFoundError:  # what it is a part of is not there
        return False


def build() -> str:
    """Return the version of the txremote that takes part, and whether it is compiled."""
    import txremote

    try:
        from txremote.versions import code_text
    except ImportError:  # an older one has no other build
        return txremote.__version__
    return f"{txremote.__version__}, {code_text()}"


def load() -> str:
    """Return how many processes wanted to run in the last minute."""
    try:
        return f"{os.getloadavg()[0]:.2f}"
    except (AttributeError, OSError):  # not every system counts
        return "-"


def describe() -> dict[str, str]:
    """Return the machine and the versions, name -> text."""
    from twisted.internet import reactor

    cores = os.cpu_count() or 1
    return {
        "CPU": f"{cores} core{'s' * (cores > 1)}, {cpu_model()}, {platform.machine()}",
        "system": f"{platform.system()} {platform.release()}",
        "load": load(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "reactor": type(reactor).__name__,
        "Twisted": version("Twisted"),
        "txremote": build(),
        "msgspec": version("msgspec"),
        "RPyC": version("rpyc"),
        "foolscap": version("foolscap"),
        "Pyro5": version("Pyro5"),
        "ampoule": version("ampoule"),
        "Pebble": version("Pebble"),
        "loky": version("loky"),
        "distributed": version("distributed"),
        "plac": version("plac"),
        "redis-py": version("redis"),
    }
