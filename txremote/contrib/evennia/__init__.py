"""
txremote in a game server of Evennia's.

A game names ``txremote.contrib.evennia.plugin`` in its settings, and has jobs from then on: in
threads, where they share the Server's objects, and in processes, which are set up as the game is
and read the same database. Objects of the game travel as their model and number, and arrive as the
receiving process's own, read anew.

``awaiting``  `Awaiting`: how such commands are driven
``changes``  what a job in a process changes of the game, read again in the Server
``commands``  `AwaitingCommand`, `CmdJobs`, `TxremoteCmdSet`
``console``  `GameConsole`: the commands of the line console
``database``  the database connections of the threads and processes that run jobs
``fairness``  the commands of clients, one in each turn of the reactor
``gamepools``  a pool as the game's jobs use it: each is listed, and has the game as it is
``hearing``  what a character hears, for clients
``in_worker``  `setup`: makes a worker process part of the game, for ``init=``
``interfaces``  `IObject` and the others, and the records that they give
``jobrows``  what runs in the background, as one list
``joblist``  the jobs that `run_async` has begun; `progress` and `tracked` for them
``jobs``  `run_async`, from any thread, in threads or in processes of the game
``log``  txremote's lines in the game's log
``login``  `AccountChecker`: logins by the game's accounts; `needs`: permissions of methods
``messages``  ``obj.msg()`` in a process: the Server says it
``plugin``  `start_plugin_services`: what ``TXREMOTE`` names runs while the Server runs
``ports``  what is used of Evennia's objects, as types
``root``  `World`: what clients of the game get, by the interfaces of its objects
``runtime``  what runs in this Server, and what is ended before it stops
``settings``  ``TXREMOTE``, read and checked
``travelling``  the objects of a game in the arguments, results and errors of jobs

Nothing here is imported before it is used, for the settings of a game are read before Django can
be.
"""

from typing import TYPE_CHECKING

from txremote.importing import lazy_names

if TYPE_CHECKING:
    from txremote.contrib.evennia.awaiting import Awaiting as Awaiting
    from txremote.contrib.evennia.commands import (
        AwaitingCommand as AwaitingCommand,
        CmdJobs as CmdJobs,
        TxremoteCmdSet as TxremoteCmdSet,
    )
    from txremote.contrib.evennia.in_worker import setup as setup
    from txremote.contrib.evennia.joblist import progress as progress, tracked as tracked
    from txremote.contrib.evennia.jobs import run_async as run_async
    from txremote.contrib.evennia.login import AccountChecker as AccountChecker, needs as needs
    from txremote.contrib.evennia.plugin import start_plugin_services as start_plugin_services
    from txremote.contrib.evennia.root import World as World

_LAZY = {
    "AccountChecker": "txremote.contrib.evennia.login",
    "Awaiting": "txremote.contrib.evennia.awaiting",
    "AwaitingCommand": "txremote.contrib.evennia.commands",
    "CmdJobs": "txremote.contrib.evennia.commands",
    "TxremoteCmdSet": "txremote.contrib.evennia.commands",
    "World": "txremote.contrib.evennia.root",
    "needs": "txremote.contrib.evennia.login",
    "progress": "txremote.contrib.evennia.joblist",
    "run_async": "txremote.contrib.evennia.jobs",
    "setup": "txremote.contrib.evennia.in_worker",
    "start_plugin_services": "txremote.contrib.evennia.plugin",
    "tracked": "txremote.contrib.evennia.joblist",
}


__getattr__, __dir__ = lazy_names(__name__, _LAZY)
