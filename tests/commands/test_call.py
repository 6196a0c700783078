"""
``txremote call``, run as a user runs it against a real ``twistd txremote``.
"""

import shlex
import signal
import socket
import textwrap

import pytest

from tests.processes import Program, Twistd, run, script
from txremote.cli import main
from txremote.commands.call import parse_literal

SERVICE = textwrap.dedent(
    """
    from twisted.internet.defer import Deferred

    from collections.abc import Iterator
    from itertools import count

    from txremote import Service, Topic, current_call, exposed


    class Room:
        exposed_name = "kitchen"

        def __repr__(self):
            return "<the\\x1b[2Jkitchen>"

        @exposed
        def players(self):
            return ["ann", "bob"]


    class Desk(Service):
        exposed_pi = 3.14
        exposed_room = Room()
        exposed_news = Topic(retain=True)
        exposed_news.publish("a dragon!", key="gate")

        def __init__(self):
            self._calls = 0

        @exposed
        def say(self, *args, **kwargs):
            return repr((args, kwargs))

        @exposed
        def count(self):
            self._calls += 1
            return self._calls

        @exposed
        def rooms(self, last) -> Iterator[object]:
            for number in count(1):
                if number == last:
                    raise ValueError("no such room")
                yield number
                yield self.exposed_room

        @exposed
        def floors(self) -> Iterator[int]:
            yield from (1, 2)

        @exposed
        def menu(self):
            return "\u8cfc \u00e9"

        @exposed
        def nothing(self):
            pass

        @exposed
        def divide(self, a, b):
            return a / b

        @exposed
        def odd(self):
            raise type("OddError", (Exception,), {})("odd", 3)

        @exposed
        def paint(self):
            raise ValueError("\\x1b[2Jred\\nsecond line")

        @exposed
        def never(self):
            return Deferred()

        @exposed
        def hang_up(self):
            current_call().connection.transport.abortConnection()
            return Deferred()
    """
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    (folder / "desk.py").write_text(SERVICE)
    with Twistd("desk.Desk", cwd=folder) as twistd:
        yield twistd


@pytest.fixture(scope="module")
def call(server):
    def call(*words):
        return run(script("txremote"), "call", server.endpoint, *words)

    return call


class TestResult:
    def test_literals_are_parsed_and_the_rest_is_text(self, call):
        """Numbers, None, tuples and quoted text are Python's; a bare word is a str."""
        words = ["2", "-1.5", "None", "(1, 'x')", "b'raw'", "'7'", "word", "two words", "x("]
        status, out, err = call("say", *words)
        expected = repr((2, -1.5, None, (1, "x"), b"raw", "7", "word", "two words", "x(")), {}
        assert (status, err) == (0, "")
        assert out.strip() == repr(f"({expected[0]}, {{}})")

    def test_list_goes_by_reference(self, call):
        """A list of the command line is the command's own, as any list of a client's is."""
        status, out, _err = call("say", "[1, 2]")
        assert status == 0
        assert "<RemoteReference to a builtins.list" in out

    def test_keywords(self, call):
        """-k and --keyword give named arguments; a value may have = in it."""
        status, out, err = call("say", "-k", "a=1", "--keyword", "b=x=y")
        assert (status, err) == (0, "")
        assert out.strip() == repr("((), {'a': 1, 'b': 'x=y'})")

    def test_method_without_arguments_is_called_once(self, call):
        """A name that turns out to be a method is called."""
        assert call("count") == (0, "1\n", "")

    def test_none_is_printed(self, call):
        """A method without a result prints None."""
        assert call("nothing") == (0, "None\n", "")

    def test_attribute(self, call):
        """A name that is a value is printed."""
        assert call("pi") == (0, "3.14\n", "")

    def test_dotted_path(self, call):
        """room.name goes through an object to its attribute, room.players to its method."""
        assert call("room.name") == (0, "'kitchen'\n", "")
        assert call("room.players") == (0, "['ann', 'bob']\n", "")

    def test_reference_is_printed_as_its_owner_prints_it(self, call):
        """An object that stays at the server shows by its repr there."""
        assert call("room") == (0, "<the [2Jkitchen>\n", "")


class TestStream:
    def test_each_item_is_a_line(self, call):
        """And its error ends it, with the status of a call that raised."""
        lines = "1\n<the [2Jkitchen>\n2\n<the [2Jkitchen>\n"
        assert call("rooms", "3") == (1, lines, "ValueError: no such room\n")

    def test_a_method_without_arguments_gives_a_stream_too(self, call):
        """What is annotated is called by its name."""
        assert call("floors") == (0, "1\n2\n", "")

    def test_a_reader_that_has_seen_enough_ends_it(self, server):
        """As head does: nothing is complained of."""
        words = [script("txremote"), "call", server.endpoint, "rooms", "0"]
        status, out, err = run("bash", "-c", f"set -o pipefail; {shlex.join(words)} | head -n 3")
        assert (status, out, err) == (0, "1\n<the [2Jkitchen>\n2\n", "")

    def test_events_of_a_topic_are_lines_until_ctrl_c(self, server):
        """They come when they are published, however long that takes."""
        words = ["call", server.endpoint, "news.subscribe", "--timeout", "5"]
        with Program(script("txremote"), *words) as command:
            command.wait_for("'a dragon!'")
            command.signal(signal.SIGINT)
            assert command.finish() == 130


class TestOutput:
    @pytest.mark.parametrize(
        ("words", "shell", "expected"),
        [
            ("menu", "PYTHONIOENCODING=ascii {}", (0, "'\\u8cfc \\xe9'\n", "")),
            ("menu", "{} >&-", (0, "", "")),
            (
                "floors",
                "{} >/dev/full",
                (1, "", "txremote: cannot print what has come: No space left on device\n"),
            ),
            ("divide 1 0", "{} 2>&1 >/dev/null | true; exit ${{PIPESTATUS[0]}}", (1, "", "")),
        ],
        ids=["in another encoding", "nowhere", "on a full disk", "an error, to nobody"],
    )
    def test_the_status_tells_wherever_the_output_goes(self, server, words, shell, expected):
        """And there is no traceback."""
        words = [script("txremote"), "call", server.endpoint, *words.split()]
        assert run("bash", "-c", shell.format(shlex.join(words))) == expected


class TestError:
    def test_remote_exception_ends_with_1(self, call):
        """The method's exception is one line on standard error."""
        assert call("divide", "1", "0") == (1, "", "ZeroDivisionError: division by zero\n")

    def test_remote_traceback_on_request(self, call):
        """--traceback shows the server's own lines."""
        status, out, err = call("divide", "1", "0", "--traceback")
        assert (status, out) == (1, "")
        assert err.startswith("Traceback (most recent call last):\n")
        assert "return a / b" in err
        assert err.endswith("\nZeroDivisionError: division by zero\n")

    def test_exception_class_that_is_not_known_here(self, call):
        """A class of the server's own goes by its full name."""
        assert call("odd") == (1, "", "desk.OddError: ('odd', 3)\n")

    def test_a_server_cannot_write_to_the_terminal(self, call):
        """Not by an error, nor by a repr (above)."""
        assert call("paint") == (1, "", "ValueError:  [2Jred\nsecond line\n")

    def test_name_that_is_not_exposed(self, call):
        """The sentence says what the service's author can do."""
        status, out, err = call("nosuch")
        assert (status, out) == (1, "")
        assert err.startswith("AttributeError: cannot access 'nosuch': Desk exposes no such name")

    def test_no_answer_in_time(self, call):
        """--timeout ends a call that takes too long."""
        status, out, err = call("never", "--timeout", "1")
        assert (status, out, err) == (2, "", "txremote: no answer within 1 s\n")

    def test_connection_lost_in_mid_call_ends_with_2(self, call):
        """A server that goes away is no error of the method."""
        status, out, err = call("hang_up")
        assert (status, out) == (2, "")
        assert err.startswith("txremote: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    ["say 1", "room.name", "room.players", "divide 1 0 --traceback", "never -t 1", "hang_up"],
)
def test_a_server_that_only_a_reactor_can_reach_is_called_alike(words, server, call):
    """Some names need one; what is printed and the status do not tell."""
    named = f"{server.endpoint}:bindAddress=127.0.0.1"
    assert run(script("txremote"), "call", named, *words.split()) == call(*words.split())


class TestNotMade:
    @pytest.mark.parametrize(
        ("endpoint", "reason"),
        [
            ("tcp:127.0.0.1:1", "refused"),
            ("nonsense", "'nonsense' names no server: it is HOST:PORT, "),
            ("tcp:127.0.0.1", "it has no port"),
            ("tcp:127.0.0.1:http", "http"),
            ("", "names no server"),
        ],
    )
    def test_one_sentence_and_2(self, endpoint, reason):
        """Nobody there, or an endpoint that is none: one line that names it."""
        status, out, err = run(script("txremote"), "call", endpoint, "add", "2", "3")
        assert (status, out) == (2, "")
        assert err.startswith(f"txremote: cannot connect to {endpoint}: ")
        assert reason in err
        assert err.count("\n") == 1

    def test_server_that_says_nothing(self):
        """A listener that is no RPyC costs the time-out, no more."""
        with socket.create_server(("127.0.0.1", 0)) as mute:
            endpoint = f"tcp:127.0.0.1:{mute.getsockname()[1]}"
            status, out, err = run(script("txremote"), "call", endpoint, "add", "-t", "0.2")
        assert (status, out) == (2, "")
        assert err == (f"txremote: cannot connect to {endpoint}: no answer within 0.2 s\n")

    @pytest.mark.parametrize("pair", ["novalue", "1=2", "=3"])
    def test_keyword_that_is_none(self, pair, capsys):
        """--keyword wants NAME=VALUE."""
        assert main(["call", "tcp:127.0.0.1:1", "add", "-k", pair]) == 2
        assert capsys.readouterr().err == f"txremote: --keyword takes NAME=VALUE, not {pair!r}\n"


class TestLiterals:
    @pytest.mark.parametrize(
        ("word", "value"),
        [
            ("2", 2),
            ("'2'", "2"),
            ("two", "two"),
            ("{'a': 1}", {"a": 1}),
            ("", ""),
            ("f(x)", "f(x)"),
        ],
    )
    def test_parse_literal(self, word, value):
        """A word is a literal if it reads as one."""
        assert parse_literal(word) == value

    def test_deeply_nested_word_is_text(self):
        """A word that Python's own parser gives up on is taken as text."""
        word = "(" * 100_000
        assert parse_literal(word) == word
