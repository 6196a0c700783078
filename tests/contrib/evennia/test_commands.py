"""The commands for a game's command sets, in Evennia's own class for tests of commands."""

from __future__ import annotations

from pathlib import Path

from tests.contrib.evennia.game import Game, needs_evennia

pytestmark = needs_evennia

TESTS = """
    from evennia.utils.test_resources import EvenniaCommandTest
    from twisted.internet.defer import Deferred, succeed
    from txremote.contrib.evennia import AwaitingCommand, CmdJobs, TxremoteCmdSet
    from txremote.contrib.evennia.joblist import jobs

    class CmdGood(AwaitingCommand):
        key = "good"

        async def func(self):
            self.caller.msg(f"got {await succeed(3)}")

    class CmdBad(AwaitingCommand):
        key = "bad"

        async def func(self):
            await succeed(3)
            raise ValueError("no|n good")

    class TestCommands(EvenniaCommandTest):
        def test_what_does_not_wait_is_heard(self):
            self.call(CmdGood(), "", "got 3")
            self.call(CmdBad(), "", "'bad' failed: no|n good")

        def test_jobs(self):
            self.call(CmdJobs(), "", "No jobs.")
            job = jobs.begin("count", self.char1, "threads", Deferred())
            job.outcome.addErrback(lambda failure: jobs.end(job, failure))
            assert "count" in self.call(CmdJobs(), "")
            long = jobs.begin("n|n" * 99, self.char1, "threads", Deferred())
            assert "n|nn|n" in self.call(CmdJobs(), "")
            jobs.end(long, None)
            self.call(CmdJobs(), "1", "1 count: waiting")
            self.call(CmdJobs(), "/kill 1", "1 count is ended.")
            self.call(CmdJobs(), "/kill 1", "It has ended: 1 count: killed after")
            self.call(CmdJobs(), "/follow 1", "1 count: killed after")
            self.call(CmdJobs(), "/kill", "There is no job without a number: see jobs.")
            self.call(CmdJobs(), "/pause 1", "Usage: jobs,")

        def test_the_set_is_for_builders(self):
            [command] = TxremoteCmdSet().commands or self.filled()
            assert command.key == "jobs"
            self.account.is_superuser = self.account2.is_superuser = False
            assert command.access(self.char1, "cmd")
            self.account2.permissions.clear()
            assert not command.access(self.char2, "cmd")

        def filled(self):
            found = TxremoteCmdSet()
            found.at_cmdset_creation()
            return found.commands
"""


def test_commands_pass_evennia_s_own_tests_of_commands(tmp_path: Path) -> None:
    """So a game's own tests can have commands that await."""
    with Game(tmp_path) as game:
        game.write("commands/test_trial.py", TESTS)
        # its tables, without the hundred migrations that lead there
        game.append("server/conf/settings.py", 'DATABASES["default"]["TEST"] = {"MIGRATE": False}')
        printed = game.command("evennia", "test", "--settings", "settings.py", "commands")
    assert "Ran 3 tests" in printed
    assert "\nOK\n" in printed
