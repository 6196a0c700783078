"""
Work somewhere else: pools, `run_async`, and what both need.
"""

from txremote.work.running import set_default_pool
from txremote.work.spec import pool_from_string

__all__ = ["pool_from_string", "set_default_pool"]
