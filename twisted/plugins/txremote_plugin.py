"""Makes ``txremote`` a command of ``twistd``, and its pools and checker known by name."""

from twisted.application.service import ServiceMaker

from txremote.passwords.checker import ScryptFactory
from txremote.work.spec import PoolKind

txremote = ServiceMaker(
    "txremote",
    "txremote.daemon.tap",
    "Serve Python objects to txremote and RPyC clients.",
    "txremote",
)

threads = PoolKind("threads", "txremote.work.threads.parse")
processes = PoolKind("processes", "txremote.work.processes.parse")
dask = PoolKind("dask", "txremote.work.dask.pool.parse")

scrypt = ScryptFactory()
