"""
Commands for a game's command sets.

`AwaitingCommand` is Evennia's ``Command`` with a ``func`` that may await; for another class of
commands, put `Awaiting` before it: ``class CmdPrice(Awaiting, MuxCommand)``. `CmdJobs` shows the
jobs that run, to builders; `TxremoteCmdSet` has it, for ``self.add(TxremoteCmdSet)`` in the
``at_cmdset_creation`` of ``commands/default_cmdsets.py``.
"""

from __future__ import annotations

from typing import Any, Final

from evennia.commands.cmdset import CmdSet
from evennia.commands.command import Command
from twisted.internet.task import deferLater

from txremote.contrib.evennia.awaiting import Awaiting
from txremote.contrib.evennia.jobrows import Row, find_row, rows, table
from txremote.refs.clock import steady

#: Seconds between two looks at a job that is followed.
_LOOK: Final = 0.5


class AwaitingCommand(Awaiting, Command):  # type: ignore[misc]  # Evennia has no types
    """
    A command whose ``func`` may await::

        class CmdPrice(AwaitingCommand):
            key = "price"

            async def func(self):
                price = await shop.root.price(self.args.strip())
                self.caller.msg(f"It costs {price}.")

    All that it does is in `txremote.contrib.evennia.awaiting`.
    """


class CmdJobs(Awaiting, Command):  # type: ignore[misc]  # Evennia has no types
    """
    list, follow and end jobs in the background

    Usage:
      jobs
      jobs <number>
      jobs/follow <number>
      jobs/kill <number>

    Shows what runs outside of the game's main thread, and what has ended lately. A number with
    a c before it is a task of the line console. To follow one shows its progress until it ends.
    """

    key = "jobs"
    aliases = ("job",)
    locks = "cmd:perm(jobs) or perm(Builder)"
    help_category = "Building"

    args: str

    async def func(self) -> None:
        """Do it."""
        switch, _space, number = self.args.strip().partition(" ")
        if not switch.startswith("/"):
            switch, number = "", self.args.strip()
        if switch not in ("", "/follow", "/kill"):
            self.msg("Usage: jobs, jobs <number>, jobs/follow <number>, jobs/kill <number>")
        elif not number and not switch:
            self._list()
        elif (row := find_row(number)) is None:
            self.msg(f"There is no job {number or 'without a number'}: see jobs.")
        elif switch == "/kill":
            self._kill(row)
        elif switch == "/follow":
            await self._follow(row)
        else:
            self.msg(str(row))

    def _list(self) -> None:
        from evennia.utils.ansi import raw

        found = rows()
        self.msg(raw("\n".join(table(found))) if found else "No jobs.")

    def _kill(self, row: Row) -> None:
        if row.ended:
            self.msg(f"It has ended: {row}")
            return
        row.kill()
        self.msg(f"{row.id} {row.name} is ended.")

    async def _follow(self, row: Row) -> None:
        from twisted.internet import reactor

        loop: Any = reactor
        clock = steady(loop)
        told = ""
        while not row.ended and self._is_heard():
            if row.progress != told:
                told = row.progress
                self.msg(f"{row.id} {row.name}: {told}")
            await deferLater(clock, _LOOK)
            found = find_row(row.id)
            if found is None:  # it has ended, and many others since
                self.msg(f"{row.id} {row.name} has ended.")
                return
            row = found
        if self._is_heard():
            self.msg(str(row))

    def _is_heard(self) -> bool:
        return self.session is None or bool(self.session.logged_in)


class TxremoteCmdSet(CmdSet):  # type: ignore[misc]
    """The commands that txremote brings to a game."""

    key = "txremote"

    def at_cmdset_creation(self) -> None:
        """Fill the set."""
        self.add(CmdJobs())
