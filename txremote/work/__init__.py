"""Work somewhere else: pools, and `run_async`."""

from txremote.work.running import set_default_pool
from txremote.work.spec import pool_from_string

__all__ = ["pool_from_string", "set_default_pool"]
