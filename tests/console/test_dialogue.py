"""
The lines of one user and their answers, without any socket.
"""

import contextlib

import pytest
from twisted.internet.defer import Deferred

from tests.console.importers import Desk
from tests.console.turning_clock import Turns
from txremote.console.containers import container_from
from txremote.console.dialogue import Dialogue, Sessions
from txremote.console.tasks import TaskManager


class Screen:
    """A screen on which all that was written stays."""

    def __init__(self):
        self.text = ""
        self.prompts = 0
        self.left = False
        self.full_after = None
        self.dialogue = None

    def write(self, text):
        self.text += text
        if self.full_after is not None and len(self.text) >= self.full_after:
            self.dialogue.pause()

    def prompt(self, text):
        self.prompts += 1
        self.write(text)

    def leave(self):
        self.left = True


class Broken:
    commands = ["never"]

    def __init__(self):
        raise OSError("no database")

    def never(self):
        pass


class Logged:
    "Remembers its end"

    commands = ["stop"]
    asyncommands = ["wait"]
    events = []

    def __enter__(self):
        self.events.append("enter")
        return self

    def __exit__(self, *_exc):
        self.events.append("exit")

    def stop(self):
        import plac

        raise plac.Interpreter.Exit

    def wait(self):
        try:
            while True:
                yield
        finally:
            self.events.append("end of wait")


class Talk:
    """A user, a screen and a clock."""

    def __init__(self, *containers, **options):
        self.clock = Turns()
        self.manager = TaskManager(reactor=self.clock, **options)
        self.screen = Screen()
        named = {c.name: c for c in map(container_from, containers or [Desk])}
        self.dialogue = Dialogue(Sessions(self.manager, named), self.screen, self.clock)
        self.screen.dialogue = self.dialogue
        self.dialogue.start()

    def turn(self, turns=1):
        """Let some turns of the reactor pass."""
        for _ in range(turns):
            self.clock.turn()

    def type(self, *lines, turns=200):
        """Type lines; return what was shown since."""
        before = len(self.screen.text)
        for line in lines:
            self.dialogue.receive_line(line)
        self.turn(turns)
        return self.screen.text[before:]


class TestLines:
    def test_greets_and_prompts(self):
        """The container's docstring, then plac's prompt."""
        assert Talk().screen.text == "Answers at once\ni> "

    def test_a_command_is_answered_before_the_next_prompt(self):
        """Values that it yields come line by line, its result as a line."""
        talk = Talk()
        assert talk.type("count 2") == "1 of 2\n2 of 2\ni> "
        assert talk.type("echo a 'b c'") == "a b c\ni> "

    def test_a_background_command_shows_its_task(self):
        """The prompt is back at once, and its output does not come between."""
        talk = Talk()
        assert talk.type("tick 3") == "<AsynTask 1 [tick 3] SUBMITTED>\ni> "
        talk.turn(20)
        assert talk.screen.text.endswith("i> ")
        assert talk.type(".output") == "<AsynTask 1 [tick 3] FINISHED>\ntick 1\ntick 2\ntick 3\ni> "

    @pytest.mark.parametrize("line", ["", "   ", "# a comment"])
    def test_nothing_is_nothing(self, line):
        """An empty line or a comment gives another prompt."""
        assert Talk().type(line) == "i> "

    def test_an_error_is_a_line(self):
        """After what came before it; the session goes on."""
        talk = Talk()
        assert talk.type("fail") == "so far so good\nValueError: no further\ni> "
        assert talk.type("echo on") == "on\ni> "

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("dance", "No command 'dance'"),
            ("count", "the following arguments are required: n"),
            ("count many", "invalid int value: 'many'"),
            ("echo 'a", "No closing quotation"),
        ],
    )
    def test_a_wrong_line_is_told_once(self, line, told):
        """In plac's words, and not as an exception as well."""
        answer = Talk().type(line)
        assert answer.count(told) == 1
        assert answer.endswith("\ni> ")
        assert "UsageError" not in answer

    def test_lines_typed_ahead_are_taken_in_their_order(self):
        """Each with its own answer and prompt."""
        talk = Talk()
        lines = ["count 2", "echo a", "", "count 1"]
        assert talk.type(*lines) == "1 of 2\n2 of 2\ni> a\ni> i> 1 of 1\ni> "

    def test_a_thousand_lines_leave_turns_for_others(self):
        """One line is taken in a turn of the reactor, not all of them."""
        talk = Talk()
        for _ in range(1000):
            talk.dialogue.receive_line("")
        talk.turn()
        assert len(talk.dialogue.lines_ahead) >= 998

    def test_output_lost_from_the_ring_is_told_of(self):
        """A command that puts out more than is kept says how much is missing."""
        talk = Talk(max_lines=5)
        talk.dialogue.receive_line("count 1000")
        talk.turn(1)
        talk.dialogue.pause()
        talk.turn(300)
        talk.dialogue.resume()
        assert "lines are no longer there" in talk.screen.text
        assert talk.screen.text.endswith("999 of 1000\n1000 of 1000\ni> ")

    def test_a_line_is_shown_as_it_is_kept(self):
        """One that is longer than what is kept of a task is cut on the screen, too."""
        shown = Talk(max_bytes=1000).type("flood 3")
        assert shown.splitlines().count(" " * 975 + " ... the rest is left out") == 3


class TestEnds:
    def test_quit(self):
        """.quit leaves; what runs in the background goes on."""
        talk = Talk()
        talk.type("tick 100000", turns=3)
        assert talk.type(".quit", turns=5) == ""
        assert talk.screen.left
        assert talk.manager.find(1).status == "RUNNING"

    def test_a_command_may_leave(self):
        """plac's Interpreter.Exit does, and the container is exited."""
        Logged.events.clear()
        talk = Talk(Logged)
        talk.type("stop")
        assert talk.screen.left
        assert Logged.events == ["enter", "exit"]

    def test_the_end_of_the_input_waits_for_the_answers(self):
        """printf 'count 2\\necho b' | nc -N gets both; the last without a prompt behind."""
        talk = Talk()
        talk.dialogue.receive_line("count 2")
        talk.dialogue.receive_line("echo b")
        talk.dialogue.end_input()
        talk.dialogue.receive_line("echo too late")
        talk.turn(20)
        assert talk.screen.text == "Answers at once\ni> 1 of 2\n2 of 2\ni> b\n"
        assert talk.screen.left

    def test_hanging_up_ends_the_foreground_only(self):
        """
        As a terminal's SIGHUP does: what runs behind goes on, and the container is
        exited after it.
        """
        Logged.events.clear()
        talk = Talk(Logged)
        talk.type("wait", turns=5)
        closed = talk.dialogue.hang_up()
        talk.turn(5)
        assert talk.manager.find(1).status == "RUNNING"
        assert Logged.events == ["enter"]
        talk.manager.find(1).kill()
        talk.turn(5)
        assert closed.called
        assert Logged.events == ["enter", "end of wait", "exit"]

    def test_hanging_up_kills_what_was_waited_for(self):
        """Nobody could see or stop it any more; its finally runs."""
        talk = Talk()
        talk.type("forever", turns=5)
        task = talk.dialogue._task
        talk.dialogue.hang_up()
        talk.turn(5)
        assert task.status == "KILLED"
        assert task.output.lines() == ["forever is over"]

    def test_a_stopped_manager_ends_it(self):
        """A line that comes too late is answered with why, and the user leaves."""
        talk = Talk()
        talk.manager.stop(0)
        talk.turn(5)
        assert talk.type("echo a", turns=3) != ""
        assert talk.screen.left

    def test_a_container_that_cannot_be_made(self):
        """Its constructor's exception is told, and the user leaves."""
        talk = Talk(Broken)
        assert talk.screen.text == "Broken could not be opened: OSError: no database\n"
        assert talk.screen.left


class TestInterrupt:
    def test_ends_the_foreground(self):
        """Ctrl-C: the command's finally runs, what it prints is shown, the prompt is back."""
        talk = Talk()
        assert talk.type("forever", turns=5) == ""
        talk.dialogue.receive_line("echo never")
        talk.dialogue.interrupt()
        talk.turn(5)
        assert talk.screen.text.endswith("i> forever is over\ni> ")

    def test_at_the_prompt_gives_a_new_one(self):
        """Whatever was typed of a line."""
        talk = Talk()
        talk.dialogue.interrupt()
        assert talk.screen.text.endswith("i> \ni> ")

    def test_twice_leaves_what_does_not_end(self):
        """A command that waits for ever for something that cannot be cancelled."""
        talk = Talk(Stubborn)
        talk.type("wait", turns=3)
        talk.dialogue.interrupt()
        talk.turn(3)
        talk.dialogue.interrupt()
        assert "TOBEKILLED> does not end: it is left to itself\ni> " in talk.screen.text
        assert talk.type("hello") == "hello\ni> "
        Stubborn.gates[-1].callback(None)
        talk.turn(3)


class Stubborn:
    commands = ["wait", "hello"]
    gates = []

    async def wait(self):
        for _ in range(2):  # the second is not noticed either
            self.gates.append(Deferred())
            with contextlib.suppress(BaseException):
                await self.gates[-1]

    def hello(self):
        return "hello"


class TestFollow:
    def test_shows_what_comes(self):
        """.output -f begins with what there is and ends with the task."""
        talk = Talk()
        talk.type("tick 50", turns=4)
        shown = talk.type(".output -f")
        assert "\ntick 1\n" in shown
        assert shown.endswith("tick 50\n<AsynTask 1 [tick 50] FINISHED>\ni> ")

    def test_stops_with_an_empty_line(self):
        """And the task goes on."""
        talk = Talk()
        talk.type("tick 100000", turns=3)
        assert not talk.type(".output -f", turns=5).endswith("i> ")
        assert talk.type("", turns=5).endswith("i> ")
        assert talk.manager.find(1).status == "RUNNING"
        assert talk.type("echo a", turns=5) == "a\ni> "

    def test_an_empty_line_typed_ahead_stops_it_too(self):
        """A script's does."""
        talk = Talk()
        talk.type("tick 100000", turns=3)
        assert talk.type(".output -f", "", "echo a", turns=8).endswith("i> a\ni> ")

    def test_an_empty_line_does_not_stop_other_commands(self):
        """Empty lines in a script that is sent to the console do no harm."""
        talk = Talk()
        assert talk.type("count 3", "", "echo a") == "1 of 3\n2 of 3\n3 of 3\ni> i> a\ni> "


class TestFullScreen:
    def test_nothing_is_written_until_it_is_read(self):
        """
        A screen that is full gets no more than the piece that filled it, and goes on
        where it stopped.
        """
        talk = Talk()
        wide = "x" * 40_000
        talk.screen.full_after = len(talk.screen.text) + 10
        talk.type(f"echo {wide}", "echo b")
        shown = talk.screen.text
        talk.turn(10)
        assert talk.screen.text == shown
        assert shown.endswith("x\n")
        talk.screen.full_after = None
        talk.dialogue.resume()
        talk.turn(10)
        assert talk.screen.text == shown + "i> b\ni> "

    def test_no_line_is_taken_meanwhile(self):
        """So somebody who only sends costs no more than what is typed ahead."""
        talk = Talk()
        talk.dialogue.pause()
        assert talk.type("echo a", "echo b") == ""
        assert len(talk.dialogue.lines_ahead) == 2
        talk.dialogue.resume()
        assert talk.type() == "a\ni> b\ni> "


class TestSeveral:
    def test_the_prompt_has_the_name(self):
        """A user of several containers sees their names, and can change."""
        talk = Talk(Desk, Logged)
        assert talk.screen.text == (
            "Answers at once\ncontainers: Desk, Logged (.use NAME changes)\nDesk> "
        )
        assert talk.type("_use Logged") == "Logged> "
        assert "No command 'echo'" in talk.type("echo a")
        assert talk.type(".use") == "containers: Desk, Logged (.use NAME changes)\nLogged> "
        assert talk.type(".use Desk", "echo a") == "Desk> a\nDesk> "

    def test_a_name_nobody_has(self):
        """Is told, with those that there are."""
        told = "no container 'Disk'\ncontainers: Desk, Logged (.use NAME changes)\nDesk> "
        assert Talk(Desk, Logged).type(".use Disk") == told

    def test_one_that_cannot_be_made(self):
        """Leaves the user where it was."""
        talk = Talk(Desk, Broken)
        told = "Broken could not be opened: OSError: no database\nDesk> "
        assert talk.type(".use Broken") == told
        assert talk.type("echo a") == "a\nDesk> "

    def test_tasks_are_shared(self):
        """Tasks of one container are seen from the other."""
        talk = Talk(Desk, Logged)
        talk.type("tick 100000", ".use Logged", turns=5)
        assert talk.type(".list", turns=8).startswith("<AsynTask 1 [tick 100000] RUNNING>\n")

    def test_a_session_is_kept(self):
        """Coming back to a container does not make it anew."""
        Logged.events.clear()
        talk = Talk(Desk, Logged)
        talk.type(".use Logged", ".use Desk", ".use Logged", ".quit")
        assert Logged.events == ["enter", "exit"]
