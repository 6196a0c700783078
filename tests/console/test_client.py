"""
One client's connection: what a socket adds to a dialogue.
"""

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.console.importers import Desk
from tests.console.turning_clock import Turns
from txremote.console.client import ConsoleClient, ConsoleLimits, Encoder
from txremote.console.containers import container_from
from txremote.console.dialogue import Sessions
from txremote.console.tasks import TaskManager

LIMITS = ConsoleLimits(max_line=1000, max_ahead=20, patience=30)


class Line:
    """A client on a transport of text."""

    def __init__(self):
        self.clock = Turns()
        self.manager = TaskManager(reactor=self.clock, keep=None)
        self.ended = []
        sessions = Sessions(self.manager, {"Desk": container_from(Desk)})
        self.client = ConsoleClient(sessions, self.clock, LIMITS, self.ended.append)
        self.transport = StringTransport()
        self.client.makeConnection(self.transport)
        self.read()

    def read(self):
        """Return what was sent since."""
        sent = self.transport.value()
        self.transport.clear()
        return sent

    def send(self, data, turns=100):
        """Send bytes; return what comes back."""
        self.client.dataReceived(data)
        self.clock.turn(turns)
        return self.read()

    def lose(self):
        """Cut the connection."""
        self.client.connectionLost(Failure(ConnectionDone()))


@pytest.fixture
def line():
    """A client, greeted."""
    return Line()


def test_interfaces(line):
    """It can be half-closed, and be told to pause."""
    verifyObject(IHalfCloseableProtocol, line.client)
    verifyObject(IPushProducer, line.client)


def test_lines_end_with_cr_lf(line):
    """As a terminal in raw mode needs them, whatever the command has put out."""
    assert line.send(b"count 2\r\n") == b"1 of 2\r\n2 of 2\r\ni> "
    assert line.send(b"echo 'a\tb'\n") == b"a\tb\r\ni> "
    line.client.write("a\nb\r\nc\rd\n")
    assert line.read() == b"a\r\nb\r\nc\r\nd\r\n"


def test_characters_cut_in_two(line):
    """UTF-8 that comes in two packets is whole, both ways."""
    data = "echo Grüße 🌍\n".encode()
    for at in range(len(data) - 1):
        line.client.dataReceived(data[at : at + 1])
    assert line.send(data[-1:]) == "Grüße 🌍\r\ni> ".encode()


def test_a_text_for_many_clients_is_encoded_once():
    """All that are shown the same text are sent the same bytes."""
    encode = Encoder()
    text = "one\ntwo\n" * 2
    assert encode(text) is encode(text)
    assert encode("three\n") == b"three\r\n"
    assert encode(text) == b"one\r\ntwo\r\n" * 2


def test_what_cannot_be_encoded(line):
    """A lone surrogate of a command does not end the connection."""
    line.client.write("a\ud800b\n")
    assert line.read() == b"a?b\r\n"


def test_options_are_refused(line):
    """A telnet that asks for everything at once is answered once, and no more."""
    asked = b"\xff\xfb\x1f\xff\xfd\x01"
    assert line.send(asked) == b"\xff\xfe\x1f\xff\xfc\x01"
    assert line.send(asked + b"echo a\r\n") == b"a\r\ni> "


def test_interrupt_ends_the_foreground(line):
    """telnet's Ctrl-C, and the byte."""
    for interrupt in (b"\xff\xf4", b"\x03"):
        assert line.send(b"forever\n", turns=3) == b""
        assert line.send(interrupt) == b"forever is over\r\ni> "


def test_ctrl_d_leaves(line):
    """As in a shell."""
    line.send(b"\x04")
    assert line.transport.disconnecting


def test_a_line_that_is_too_long(line):
    """Is refused with a sentence that names the limit; the next one is taken."""
    refused = b"\r\na line of more than 1000 bytes is not taken (max_line)\r\ni> "
    assert line.send(b"x" * 5000) == refused
    assert line.send(b"x" * 5000 + b"\necho a\n") == b"a\r\ni> "


class TestHalfClosed:
    def test_answers_come_first(self, line):
        """printf 'count 2\\necho b' | nc -N"""
        line.client.dataReceived(b"count 2\necho b")
        line.client.readConnectionLost()
        line.clock.turn(30)
        assert line.read() == b"1 of 2\r\n2 of 2\r\ni> b\r\n"
        assert line.transport.disconnecting

    def test_waits_for_a_command_that_runs(self, line):
        """The connection is closed when it has ended, not before."""
        line.send(b"forever\n", turns=3)
        line.client.readConnectionLost()
        line.clock.turn(10)
        assert not line.transport.disconnecting
        line.manager.find().kill()
        line.clock.turn(5)
        assert line.read() == b"forever is over\r\n"
        assert line.transport.disconnecting

    def test_it_may_be_paused(self, line):
        """Reading is not begun again after its end."""
        line.client.pauseProducing()
        line.client.readConnectionLost()
        line.client.resumeProducing()
        line.clock.turn(3)
        assert line.transport.disconnecting

    def test_a_client_that_reads_no_more(self, line):
        """Is let go."""
        line.client.writeConnectionLost()
        assert line.transport.disconnecting


class TestSlow:
    def test_a_client_that_does_not_read_is_paused(self, line):
        """Nothing is written until it does; answers of telnet's come first then."""
        line.client.pauseProducing()
        assert line.send(b"echo a\n\xff\xfd\x06") == b""
        assert line.send(b"\xff\xf6" * 10_000) == b""
        line.client.resumeProducing()
        assert line.read() == (b"\xff\xfb\x06" + b"[yes]\r\n" * 1000)[:4096]
        line.clock.turn(5)
        assert line.read() == b"a\r\ni> "
        line.clock.advance(100)
        assert not line.transport.disconnected

    def test_then_dropped(self, line):
        """After the time it is given; its background tasks go on, the rest is gone."""
        line.send(b"tick 1000\n", turns=5)
        line.client.pauseProducing()
        line.clock.advance(29)
        assert not line.transport.disconnected
        line.clock.advance(2)
        assert line.transport.disconnected
        line.lose()
        assert line.ended == [line.client]
        assert line.manager.find(1).status in ("RUNNING", "FINISHED")

    def test_one_that_does_not_read_can_interrupt(self, line):
        """Its keys are read."""
        line.send(b"forever\n", turns=3)
        line.client.pauseProducing()
        line.send(b"\x03", turns=3)
        assert line.manager.find().status == "KILLED"

    def test_one_that_sends_faster_than_it_is_answered(self, line):
        """Is read again when its lines are fewer than the limit."""
        first = line.send(b"echo a\n" * 100, turns=1)
        assert line.transport.producerState == "paused"
        line.clock.turn(300)
        assert line.transport.producerState == "producing"
        assert first + line.read() == b"a\r\ni> " * 100

    def test_one_that_does_not_read_the_good_bye(self, line):
        """Is dropped, too."""
        line.send(b".quit\n")
        assert line.transport.disconnecting
        line.clock.advance(31)
        assert line.transport.disconnected


class TestEnd:
    def test_quit(self, line):
        """Closes the connection and leaves no call behind."""
        assert line.send(b".quit\n") == b""
        assert line.transport.disconnecting
        line.lose()
        assert line.ended == [line.client]
        assert line.clock.getDelayedCalls() == []

    def test_what_comes_behind_quit(self, line):
        """Is not run."""
        line.send(b".quit\ntick 5\n")
        line.send(b"tick 5\n")
        assert line.manager.tasks() == []

    def test_a_lost_client(self, line):
        """Leaves nothing but its background tasks."""
        line.send(b"forever\n", turns=3)
        line.lose()
        line.clock.turn(5)
        assert line.clock.getDelayedCalls() == []
        assert line.ended == [line.client]

    def test_dismissed(self, line):
        """A client that is sent away sees why."""
        line.client.dismiss("the console stops")
        assert line.read() == b"\r\nthe console stops\r\ni> "
        assert line.transport.disconnecting


class TestBrowser:
    def test_a_web_page_cannot_give_commands(self, line):
        """A page that has its browser post commands to a local port runs none of them."""
        line.send(b"POST / HTTP/1.1\r\nHost: localhost:2199\r\n\r\ntick 5\r\n")
        assert line.transport.disconnected
        line.lose()
        line.clock.turn(5)
        assert line.manager.tasks() == []

    def test_a_later_line_is_just_a_line(self, line):
        """A client that has typed another line before is no browser."""
        assert line.send(b"echo a\necho GET / HTTP/1.1\n") == b"a\r\ni> GET / HTTP/1.1\r\ni> "
