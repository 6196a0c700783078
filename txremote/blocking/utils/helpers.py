"""RPyC's ``rpyc.utils.helpers``, by its names."""

from txremote.blocking.background import BgServingThread
from txremote.blocking.services import classpartial
from txremote.refs.helpers import async_, timed
from txremote.refs.iteration import buffiter
from txremote.service import restricted

# the name in RPyC's programs of Python 2; a keyword now, so only by getattr
globals()["async"] = async_

__all__ = ["BgServingThread", "async_", "buffiter", "classpartial", "restricted", "timed"]
