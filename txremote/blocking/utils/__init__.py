"""
RPyC's ``rpyc.utils``, by its names. Its modules are there as soon as it is imported, but
for ``server``, which loads a reactor and waits until it is asked for.
"""

from importlib import import_module
from types import ModuleType

from txremote.blocking.defaults import DEFAULT_CONFIG as DEFAULT_CONFIG
from txremote.blocking.services import service as service
from txremote.blocking.utils import (
    authenticators as authenticators,
    classic as classic,
    factory as factory,
    helpers as helpers,
    registry as registry,
)
from txremote.service import exposed as exposed


def __getattr__(name: str) -> ModuleType:
    if name != "server":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("txremote.blocking.utils.server")
