"""The files of the games in which many players have jobs done: what they type is in them."""

from __future__ import annotations

from tests.contrib.evennia.game import Game

SETTINGS = """
SERVER_SERVICES_PLUGIN_MODULES.append("txremote.contrib.evennia.plugin")
TXREMOTE = {{"pool": "processes:2", "listen": "tcp:{port}:interface=127.0.0.1"}}
"""

WORK = """
import os
import time


def slow(number, seconds):
    time.sleep(seconds)
    return number


def describe(character, room):
    return (
        character.key, character.db.mark, character.location is room, room.key,
        character in room.contents, type(character).__name__, os.getpid(),
    )


def mark(character, text):
    character.db.mark = text
    character.tags.add(text)
    return character
"""

COMMANDS = """
from evennia import Command
from txremote.contrib.evennia import AwaitingCommand, run_async
from txremote.work import pool_from_string
from world.work import describe, mark, slow


class CmdWork(Command):
    '''Usage: work <number> <seconds> thread||process'''
    key = "work"

    def func(self):
        number, seconds, kind = self.args.split()
        self.caller.msg(f"begun {number}.")
        run_async(
            slow, number, float(seconds), process=kind == "process",
            at_return=lambda result: self.caller.msg(f"end {result}: done."),
            at_err=lambda failure: self.caller.msg(f"end {number}: {failure.type.__name__}."),
        )


class CmdAwait(AwaitingCommand):
    '''Usage: await <number> <seconds>'''
    key = "await"

    async def func(self):
        number, seconds = self.args.split()
        self.caller.msg(f"begun {number}.")
        try:
            result = await run_async(slow, number, float(seconds), process=True)
        except BaseException as error:
            self.caller.msg(f"end {number}: {type(error).__name__}.")
            raise
        self.caller.msg(f"end {result}: done.")


class CmdCold(AwaitingCommand):
    '''Ask that many workers, each for its first job. Usage: cold <count>'''
    key = "cold"

    async def func(self):
        pool = pool_from_string("processes:2:recycle=1:init=txremote.contrib.evennia.setup")
        await pool.start()
        here, right, pids = self.caller.location, 0, set()
        try:
            for number in range(int(self.args)):
                self.caller.db.mark = number
                *found, pid = await run_async(describe, self.caller, here, pool=pool)
                pids.add(pid)
                right += found == [self.caller.key, number, True, here.key, True, "Character"]
        finally:
            await pool.stop()
        self.caller.msg(f"{right} right of {len(pids)} workers.")


class CmdMark(AwaitingCommand):
    '''Usage: mark <text>'''
    key = "mark"

    async def func(self):
        text = self.args.strip()
        changed = await run_async(mark, self.caller, text, process=True)
        same = changed is self.caller
        tagged = text in self.caller.tags.all()
        self.caller.msg(f"marked: {self.caller.db.mark} {same} {tagged}.")
"""

CMDSET = """
from commands import testing as _testing

class CharacterCmdSet(CharacterCmdSet):
    def at_cmdset_creation(self):
        super().at_cmdset_creation()
        for name in ("CmdWork", "CmdAwait", "CmdCold", "CmdMark"):
            self.add(getattr(_testing, name))
"""


def add_recipes(game: Game, port: int) -> None:
    """
    Write the files of a game.

    Args:
        game: Not started yet.
        port: On loopback, for clients.
    """
    game.append("server/conf/settings.py", SETTINGS.format(port=port))
    game.write("world/work.py", WORK)
    game.write("commands/testing.py", COMMANDS)
    game.append("commands/default_cmdsets.py", CMDSET)
