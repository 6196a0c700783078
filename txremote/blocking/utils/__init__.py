"""
RPyC's ``rpyc.utils``, by its names. Its modules are there as soon as it is imported, but
for ``server``, which loads a reactor and waits until it is asked for.
"""

from importlib import import_module
from types import ModuleType

from txremote.blocking.defaults import DEFAULT_CONFIG
from txremote.blocking.services import service
from txremote.service import exposed

from . import authenticators, classic, factory, helpers, registry

__all__ = [
    "DEFAULT_CONFIG",
    "authenticators",
    "classic",
    "exposed",
    "factory",
    "helpers",
    "registry",
    "server",
    "service",
]


def __getattr__(name: str) -> ModuleType:
    if name != "server":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("txremote.blocking.utils.server")
