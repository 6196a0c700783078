"""RPyC's ``rpyc.core.service``, by its names."""

from txremote.blocking.services import Service as Service, VoidService as VoidService
from txremote.classic import (
    ClassicClient as ClassicClient,
    ClassicService as ClassicService,
    FakeSlaveService as FakeSlaveService,
    MasterService as MasterService,
    ModuleNamespace as ModuleNamespace,
    SlaveService as SlaveService,
)
