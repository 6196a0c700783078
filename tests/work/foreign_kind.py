"""
A kind of pool as another distribution brings it: an interpreter for each job.

This one file is all of it. `test_foreign_kind` puts it where Twisted looks for plugins.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

from twisted.internet.utils import getProcessOutput
from twisted.plugin import IPlugin
from zope.interface import implementer

from txremote.interfaces import IPoolKind
from txremote.work.pool import PoolService

PROGRAM = """
import pickle, sys
function, args, kwargs = pickle.loads(bytes.fromhex(sys.argv[1]))
try:
    outcome = function(*args, **kwargs), None
except Exception as error:
    outcome = None, error
sys.stdout.buffer.write(pickle.dumps(outcome))
"""


class InterpreterPool(PoolService):
    """Runs each job in an interpreter of its own."""

    kind = "interpreter"

    def _submit(self, function: Any, args: Any, kwargs: Any, timeout: Any, name: str) -> Any:
        job = pickle.dumps((function, tuple(args), dict(kwargs))).hex()
        output = getProcessOutput(
            sys.executable, ("-c", PROGRAM, job), env=None, path=None, reactor=self._reactor
        )
        return output.addCallback(self._outcome)

    @staticmethod
    def _outcome(output: bytes) -> Any:
        result, error = pickle.loads(output)
        if error is not None:
            raise error
        return result


@implementer(IPlugin, IPoolKind)
class _Kind:
    prefix = InterpreterPool.kind

    def parse(self, reactor: Any, words: Any, options: Any) -> InterpreterPool:
        return InterpreterPool(reactor, ":".join([self.prefix, *words]), queue=3)


interpreter = _Kind()
