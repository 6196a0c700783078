"""
RPyC's ``rpyc.core.service``, by its names.
"""

from txremote.blocking.services import Service, VoidService
from txremote.classic import (
    ClassicClient,
    ClassicService,
    FakeSlaveService,
    MasterService,
    ModuleNamespace,
    SlaveService,
)

__all__ = [
    "ClassicClient",
    "ClassicService",
    "FakeSlaveService",
    "MasterService",
    "ModuleNamespace",
    "Service",
    "SlaveService",
    "VoidService",
]
