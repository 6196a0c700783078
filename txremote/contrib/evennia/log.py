"""
txremote's lines in the game's log.

Evennia writes every event of Twisted's into ``server/logs/server.log``, those for debugging, too,
with a sign for the level: ``..`` ``WW`` ``EE`` ``!!``. Txremote has an event of level debug for
each connection and each call that fails, which its caller gets anyway; a bot could fill the log
with them. So the plugin has them left out, as ``twistd txremote`` does without ``--verbose``.

An error of a job or a command is told with its traceback once: where it is handled.
"""

from __future__ import annotations

from txremote.levels import levels


def quieten() -> None:
    """Have txremote's events of level debug left out of the log."""
    levels.begin(verbose=False)
