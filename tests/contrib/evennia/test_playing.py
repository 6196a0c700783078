"""
A real game with the plugin: its players, its clients, its console, and how it ends.

One game for all of these tests, in the order in which they stand: starting it takes many seconds.
``TXREMOTE_LONG=1`` (``nox -s games``) runs the large numbers, which take minutes.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import wraps
from typing import Any, ParamSpec

import pytest

import txremote.blocking as rpyc
from tests.contrib.evennia.crowd import Crowd, reload_in_game
from tests.contrib.evennia.environment import PASSWORD
from tests.contrib.evennia.game import Game, needs_evennia, wait_until_gone
from tests.contrib.evennia.recipes import add_recipes
from tests.processes import free_port

pytestmark = needs_evennia

IS_LONG = bool(os.environ.get("TXREMOTE_LONG"))
LONG = pytest.mark.skipif(not IS_LONG, reason="it takes minutes: TXREMOTE_LONG=1")

#: How many players have jobs at the same time.
CROWD = 50 if IS_LONG else 8

P = ParamSpec("P")

COMMANDS = """
    import time
    from twisted.internet import reactor
    from twisted.internet.defer import CancelledError, inlineCallbacks
    from twisted.internet.task import deferLater
    from evennia import Command
    from txremote.contrib.evennia import Awaiting, AwaitingCommand, progress, run_async

    class CmdSlow(AwaitingCommand):
        key = "slow"

        async def func(self):
            try:
                await deferLater(reactor, float(self.args))
            except CancelledError:
                self.caller.msg("cleaned up")
                raise
            self.caller.msg(f"slept {self.args.strip()}")

        def at_post_cmd(self):
            self.caller.msg("after it")

    class CmdFail(AwaitingCommand):
        key = "fail"

        async def func(self):
            await deferLater(reactor, 0)
            {}["lute"]

    class CmdLate(AwaitingCommand):
        key = "late"

        async def func(self):
            await deferLater(reactor, 0.3)
            self.caller.msg("nobody hears it")
            raise ValueError("too late")

    class CmdInline(AwaitingCommand):
        key = "inline"

        @inlineCallbacks
        def func(self):
            yield deferLater(reactor, 0.01)
            self.caller.msg("inline")

    class CmdSuper(CmdInline):
        key = "super"

        async def func(self):
            await super().func()
            self.caller.msg("and more")

    class CmdOwn(AwaitingCommand):
        key = "own"

        def func(self):
            yield 0.01
            self.caller.msg("by Evennia")

    class CmdAsk(AwaitingCommand):
        key = "ask"

        async def parse(self):
            await deferLater(reactor, 0)
            self.args = self.args.strip().upper()

        async def func(self):
            yield 0.01
            answer = yield "Which colour?"
            await deferLater(reactor, 0)
            self.caller.msg(f"{answer} {self.args}")

    def work(seconds, steps):
        for step in range(steps):
            progress(step, steps, "working")
            time.sleep(seconds / steps)
        return "worked"

    class CmdWork(Command):
        key = "toil"

        def func(self):
            kind, seconds, steps = self.args.split()
            run_async(
                work, float(seconds), int(steps), process=kind == "process",
                at_return=self.caller.msg,
                at_err=lambda failure: self.caller.msg(f"no: {failure.type.__name__}"),
            )
"""

COMMAND_SET = """
    from commands import trial as _trial
    from txremote.contrib.evennia import TxremoteCmdSet
    _before = CharacterCmdSet.at_cmdset_creation

    def _at_cmdset_creation(self):
        _before(self)
        for name, command in vars(_trial).items():
            if name.startswith("Cmd"):
                self.add(command())
        self.add(TxremoteCmdSet)

    CharacterCmdSet.at_cmdset_creation = _at_cmdset_creation
"""

SECRETS = """
    from evennia import ObjectDB
    from evennia.utils.create import create_object
    limbo = ObjectDB.objects.get(id=2)
    create_object("typeclasses.objects.Object", key="a lamp", location=limbo)
    create_object(
        "typeclasses.objects.Object", key="a secret", location=limbo, locks="view:perm(Builder)"
    )
"""


def in_a_thread(test: Callable[P, None]) -> Callable[P, None]:
    """Run a test outside of the reactor's thread: its clients block."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with ThreadPoolExecutor(1) as one:
            one.submit(test, *args, **kwargs).result()

    return run


class Played:
    """A game that runs, and where its clients connect."""

    def __init__(self, game: Game, port: int, console: int) -> None:
        self.game = game
        self.port = port
        self.console = console

    def connect(self) -> Any:
        """Return a connection to the game's service, which a `closing` closes."""
        return closing(rpyc.connect("127.0.0.1", self.port, config={"sync_request_timeout": 60}))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Run a game with a pool, a service and a console, and its accounts."""
    port, console = free_port(), free_port()
    with Game(tmp_path_factory.mktemp("plugin")) as game:
        add_recipes(game, port)
        game.write("commands/trial.py", COMMANDS)
        game.append("commands/default_cmdsets.py", COMMAND_SET)
        game.append(
            "server/conf/settings.py",
            f"""
            TXREMOTE["console"] = "tcp:{console}:interface=127.0.0.1"
            TXREMOTE["lisen"] = "a mistake"
            """,
        )
        game.make_accounts(["ann", "bob", *(f"player{number}" for number in range(CROWD))], SECRETS)
        game.start()
        yield Played(game, port, console)


def test_each_kind_of_command_that_awaits_is_driven_to_its_end(played: Played) -> None:
    """An error is one line for the player and a traceback for the log; at_post_cmd comes last."""
    with played.game.player("ann") as ann:
        for line, *told in [
            ("slow 0.01", "slept 0.01", "after it"),
            ("fail", r"'fail' failed: KeyError: 'lute'"),
            ("inline", "inline"),
            ("super", "inline", "and more"),
            ("own", "by Evennia"),
        ]:
            ann.type(line)
            for each in told:
                ann.expect(each)
        ann.type("ask me")
        ann.expect("Which colour")
        ann.type("blue")
        ann.expect("blue ME")
        assert "Traceback" not in ann.heard
    assert "the command 'fail' of ann failed" in played.game.server_log
    assert played.game.server_log.count("\tKeyError: 'lute'") == 1


def test_a_command_goes_on_when_its_player_has_left(played: Played) -> None:
    """Its error is for the log alone."""
    with played.game.player("ann") as ann:
        ann.type("late")
    with played.game.player("bob") as bob:
        bob.type("slow 0.6")
        bob.expect("slept 0.6")
    log = played.game.server_log
    assert "the command 'late' of ann failed" in log
    assert "was not told" not in log


def test_a_mistake_in_the_settings_is_a_sentence_in_the_log(played: Played) -> None:
    """The rest of the settings counts, and debugging is left out of the log."""
    assert "TXREMOTE has no key 'lisen': there are pool, listen," in played.game.server_log
    assert "[??]" not in played.game.server_log


@in_a_thread
def test_a_client_logs_in_with_an_account_of_the_game(played: Played) -> None:
    """Evennia's own log has both, and no password."""
    with played.connect() as connection:
        with pytest.raises(AttributeError, match="log in first"):
            connection.root.who()
        with pytest.raises(Exception, match="wrong user or password"):
            connection.root.login("ann", "not-this-one")
        world = connection.root.login("ann", PASSWORD)
        record = world.me().info()
    assert (record.name, record.superuser, record.characters) == ("ann", False, ["ann"])
    log = played.game.server_log
    assert "Authentication Failure: ann (IP: 127.0.0.1)" in log
    assert "Authentication Success: ann" in log
    assert PASSWORD not in log and "not-this-one" not in log


@in_a_thread
def test_an_account_sees_and_does_what_the_locks_allow(played: Played) -> None:
    """It acts by its character, whom others see; what is locked does not exist for it."""
    with played.game.player("bob") as bob:
        with played.connect() as connection:
            world = connection.root.login("ann", PASSWORD)
            ann = world.character()
            assert ann.location() is None
            ann.enter()
            bob.expect("ann has entered the game")
            room = ann.location().room()
            assert [each.name for each in room.things] == ["a lamp"]
            assert "bob" in [each.name for each in room.characters]
            assert "a secret" not in room.text
            heard: list[str] = []
            end = ann.hear(heard.append)
            assert ann.say("hello") == ['You say, "hello"']
            bob.expect('ann says, "hello"')
            assert ann.execute("slow 0.01")[-2:] == ["slept 0.01", "after it"]
            end()
            ann.execute("look")
            assert heard[0] == 'You say, "hello"' and "after it" in heard[-1]
            [online] = [each for each in world.who() if each.name == "bob"]
            assert (online.character, online.room) == (None, None)
            _refusals(world, ann)
        bob.expect("ann has left the game")
        bob.type("look")
        bob.expect("Limbo")
        bob.expect("You see")
        assert "ann" not in bob.heard.rpartition("Limbo")[2]


def _refusals(world: Any, ann: Any) -> None:
    """Check what a player may not."""
    for name in ("db", "key", "attributes", "delete", "_obj", "obj", "account"):
        with pytest.raises(AttributeError):
            getattr(ann, name)
    with pytest.raises(PermissionError, match="needs Builder"):
        world.find("a secret")
    with pytest.raises(LookupError, match="ann has ann"):
        world.character("bob")
    for line in ("", "say a\nlook", "x" * 5000):
        with pytest.raises(ValueError, match="one line"):
            ann.execute(line)


@in_a_thread
def test_a_builder_finds_what_a_player_does_not(played: Played) -> None:
    """A superuser passes the locks."""
    with played.connect() as connection:
        world = connection.root.login("admin", PASSWORD)
        assert world.find("a secret").info().kind == "object"
        with pytest.raises(LookupError, match="0 objects"):
            world.find("nowhere to be found")
        with pytest.raises(PermissionError, match="no character of admin"):
            world.find("ann").execute("look")


def test_builders_list_follow_and_kill_jobs(played: Played) -> None:
    """Players do not have the command."""
    with played.game.player("ann") as ann, played.game.player() as admin:
        ann.type("jobs")
        ann.expect("Command 'jobs' is not available")
        ann.type("toil thread 60 600")
        admin.type("jobs")
        number = admin.expect(r"\b(\d+) +work +ann ")[1]
        admin.type(f"jobs/follow {number}")
        admin.expect(rf"{number} work: \d+% working")
        admin.type(f"jobs/kill {number}")
        admin.expect("is ended")
        admin.expect(f"{number} work: killed after")
        ann.expect("no: CancelledError")
        admin.type("jobs/kill 999")
        admin.expect("There is no job 999")


@in_a_thread
def test_a_reload_tells_everybody_and_leaves_nothing(played: Played) -> None:
    """Commands, jobs, clients and consoles hear of it once; clients wait for the next Server."""
    game = played.game
    with (
        game.player("bob") as bob,
        socket.create_connection(("127.0.0.1", played.console), 30) as console,
        rpyc.reconnecting(
            "127.0.0.1", played.port, login=("ann", PASSWORD), wait_timeout=60
        ) as client,
    ):
        assert client.root.me().info().name == "ann"
        server, workers = game.pid("server"), game.children()
        assert workers
        for line in ("slow 900", "toil thread 900 1", "toil process 900 9000", "slow 0.01"):
            bob.type(line)
        bob.expect("after it")
        game.reload()
        for told in ("cleaned up", "'slow' was ended: the game server stops or reloads"):
            bob.expect(told)
        assert _everything(console).endswith(b"the console stops\r\ni> ")
        wait_until_gone([server, *workers])
        assert client.root.me().info().name == "ann"
        bob.type("slow 0.02")
        bob.expect("slept 0.02")
    assert bob.heard.count("was ended") == 1
    assert bob.heard.count("no: PoolStopped") == 2


def _everything(connection: socket.socket) -> bytes:
    received = b""
    while more := connection.recv(65536):
        received += more
    return received


def test_every_player_hears_one_end_of_each_job(played: Played) -> None:
    """While a worker is killed and the game is reloaded."""
    game, each = played.game, 2
    with Crowd(game, CROWD) as crowd:
        crowd.begin(0.5, each)
        worker = game.children()[0]
        os.kill(worker, signal.SIGKILL)
        wait_until_gone([worker])
        crowd.begin(0.5, each)
        reload_in_game(game, crowd)
        crowd.begin(0.2, each)
        ends = crowd.ends()
    assert sum(ends.values()) == CROWD * each * 3
    assert ends["done"] >= CROWD * each  # those that began behind the reload


@LONG
def test_a_hundred_cold_workers_have_objects_right_the_first_time(played: Played) -> None:
    """Name, attributes, place and class, as the Server has them, in a process that is new."""
    with played.game.player("player0") as player:
        player.type("cold 100")
        player.expect(r"100 right of 100 workers\.", 1500)


def test_what_a_job_changed_is_the_server_s_at_once(played: Played) -> None:
    """Attributes and tags, again and again, on the very object that was sent."""
    with played.game.player("player0") as player:
        for text in ("red", "blue"):
            player.type(f"mark {text}")
            player.expect(rf"marked: {text} True True\.")


def test_killed_it_leaves_no_worker_and_starts_again(played: Played) -> None:
    """``kill -9`` while jobs run in processes; then ``evennia start``."""
    game = played.game
    server, workers = game.pid("server"), game.children()
    assert server and len(workers) == 2
    with game.player("player1") as player:
        for number in range(2):
            player.type(f"work {number} 600 process")
            player.expect(rf"begun {number}\.")
        os.kill(server, signal.SIGKILL)
        wait_until_gone([server, *workers])
    game.start()
    with game.player("player1") as player:
        player.type("await 3 0")
        player.expect(r"end 3: done\.")


def test_stopped_it_leaves_nothing(played: Played) -> None:
    """Jobs that would run for minutes end with the game, and so do their processes."""
    game = played.game
    workers = game.children()
    with game.player("player1") as player:
        player.type("await 4 600")
        player.expect(r"begun 4\.")
        game.stop()
        player.expect("'await' was ended: the game server stops")  # no character speaks now
    wait_until_gone(workers)
    assert game.pid("server") is game.pid("portal") is None
