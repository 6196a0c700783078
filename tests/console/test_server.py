"""
The console as its users meet it: twistd, telnet, nc, rlwrap, and many at once.
"""

import re
import shutil
import signal
import socket
import time

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from zope.interface import implementer

from tests.console.clients import PROMPT, OnTerminal, TelnetSocket
from tests.console.importers import Desk, Threaded
from tests.interop.peer_processes import TWISTD, Program
from tests.processes import PATIENCE
from txremote.console.client import ConsoleLimits
from txremote.console.containers import container_from
from txremote.console.server import ConsoleService, containers_by_name
from txremote.errors import ContainerError

CONSOLE = r"txremote console on (\S+) \((.*)\)$"

KINDS = {
    "Threaded": ("ThreadedTask", "RUNNING"),
    "Process": ("MPTask", "SUBMITTED"),
    "Async": ("AsynTask", "SUBMITTED"),
}


class Twistd(Program):
    """``twistd -n txremote`` with a console on a free port."""

    def __init__(self, *containers, options=(), reactor="default"):
        words = [f"--reactor={reactor}", "txremote", "--console", "tcp:0:interface=127.0.0.1"]
        for container in containers:
            words += ["--container", container]
        super().__init__([*TWISTD, "-n", "--pidfile=", *words, *options])
        try:
            self.port = int(self.wait_for(CONSOLE)[0][1].rpartition(":")[2])
        except BaseException:
            self.kill()
            raise


@pytest.fixture(scope="module", params=KINDS)
def importer(request):
    """A twistd with one form of the document's importer: (its form, its port)."""
    server = Twistd(f"tests.console.importers.{request.param} DSN")
    try:
        yield request.param, server.port
        assert server.stop() in (0, -signal.SIGTERM)
        who = r"127\.0\.0\.1:\d+"
        for told in (
            f"#info] {who} has opened the console$",
            f"#info] {who} submitted the task \\d+: import_file$",
            rf"#info] the task \d+ of {who} ended after \S+ s: import_file, [A-Z]+$",
            rf"#info] {who} has left the console after \S+ s$",
        ):
            assert re.search(told, server.output, re.MULTILINE), told
        assert "Unhandled" not in server.output
    finally:
        server.kill()


def installed(name):
    """Skip a test whose program is not there."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def the_session(client, form):
    """The document's session, line by line, with a client of any sort."""
    kind, first = KINDS[form]

    def task(no, word, status):
        return f"<{kind} {no} [import_file {word}] {status}>"

    def submit(word):
        (shown,) = client.ask(f"import_file {word}")
        no = int(re.match(rf"<{kind} (\d+) ", shown)[1])
        assert shown == task(no, word, first)
        return no

    # i> import_file file1
    no = submit("file1")
    # i> _output 1, a first time, and after a while
    lines = client.until(f"_output {no}", "Imported 300 lines\nclosing the file")
    # a time long enough: it is finished
    lines = client.until(f"_output {no}", "FINISHED")
    imported = [f"Imported {count} lines" for count in (100, 200, 300)]
    assert lines == [task(no, "file1", "FINISHED"), *imported, "closing the file"]
    # many, one after the other
    two, three = submit("file2"), submit("file3")
    assert client.until("_list", r"RUNNING(?s:.*)RUNNING") == [
        task(two, "file2", "RUNNING"),
        task(three, "file3", "RUNNING"),
    ]
    # their output grows
    early = client.until(f"_output {two}", "Imported")
    late = client.until(f"_output {two}", f"Imported {len(early) + 1}00 lines")
    assert early[0] == late[0] == task(two, "file2", "RUNNING")
    assert early == late[: len(early)]
    assert len(late) >= len(early) + 2
    # i> _kill 5
    assert client.ask(f"_kill {two}") == [task(two, "file2", "TOBEKILLED")]
    lines = client.until(f"_output {two}", "KILLED>\n")
    lines = client.until(f"_output {two}", " KILLED>")
    assert lines[0] == task(two, "file2", "KILLED")
    assert lines[-1] == "closing the file"
    assert client.ask("_list") == [task(three, "file3", "RUNNING")]
    # -1 is the latest that runs
    assert client.ask("_kill") == [task(three, "file3", "TOBEKILLED")]
    client.until(f"_output {three}", " KILLED>")
    assert client.ask("_kill") == ["Nothing to kill"]


class TestDocument:
    """The session of plac's document."""

    def test_through_a_socket_that_speaks_telnet(self, importer):
        """In all three forms, with every option of telnet's asked for."""
        form, port = importer
        with TelnetSocket(port) as client:
            assert client.text == f"A fake importer with an import_file command\r\n{PROMPT}"
            the_session(client, form)
            client.type(".quit")
            client.wait_for_end()

    def test_on_asyncio(self):
        """The reactor may be asyncio's: what the document says of monocle."""
        server = Twistd("tests.console.importers.Async DSN", reactor="asyncio")
        try:
            with TelnetSocket(server.port) as client:
                the_session(client, "Async")
            server.stop()
        finally:
            server.kill()

    @pytest.mark.parametrize("importer", ["Threaded", "Async"], indirect=True)
    @pytest.mark.parametrize("program", ["telnet", "nc"])
    def test_through_real_programs(self, importer, program):
        """With the programs that people have."""
        form, port = importer
        with OnTerminal(installed(program), "127.0.0.1", port) as client:
            client.wait_for(f"{PROMPT}$")
            the_session(client, form)
            client.type(".quit")
            if program == "telnet":
                client.finish()
                assert "Connection closed by foreign host." in client.text
            else:
                client.press("c")  # some wait for their input's end

    @pytest.mark.parametrize("importer", ["Threaded"], indirect=True)
    def test_rlwrap_adds_editing(self, importer):
        """rlwrap nc has a history, as the document says."""
        _form, port = importer
        words = (installed("rlwrap"), "-n", "-H", "/dev/null", installed("nc"), "127.0.0.1", port)
        with OnTerminal(*words, echo=True) as client:
            client.wait_for(PROMPT)
            client.type("import_file file1")
            client.wait_for(r"<ThreadedTask \d+ \[import_file file1\] RUNNING>")
            since = len(client.text)
            client.type("\x1b[A")  # the arrow up
            client.wait_for(r"<ThreadedTask \d+ \[import_file file1\] RUNNING>", since)
            client.type("_output -f")
            client.wait_for("Imported 300 lines")


class TestTelnet:
    """The parts that are not in the document."""

    @pytest.mark.parametrize("importer", ["Threaded"], indirect=True)
    def test_ctrl_c_in_a_real_telnet(self, importer):
        """Ends what is followed; telnet shows what comes after it."""
        _form, port = importer
        with OnTerminal(installed("telnet"), "127.0.0.1", port) as client:
            client.wait_for(f"{PROMPT}$")
            client.type("import_file file2")
            client.wait_for("RUNNING>")
            client.type(".output -f")
            client.wait_for("Imported 100 lines")
            since = len(client.text)
            client.press("c")
            client.wait_for(f"{PROMPT}$", since)
            assert "RUNNING" in client.ask("_list")[-1]
            assert "TOBEKILLED" in client.ask("_kill")[0]

    def test_nc_with_its_input_closed(self, importer):
        """printf ... | nc -N: all answers come before the connection is closed."""
        _form, port = importer
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.sendall(b"help import_file\n\n_output 999\nimport_file")
            client.shutdown(socket.SHUT_WR)
            client.settimeout(PATIENCE)
            text = b"".join(iter(lambda: client.recv(4096), b"")).decode()
        assert "Import a file into the database" in text
        assert f"{PROMPT}Unknown task 999\r\n{PROMPT}usage: import_file" in text
        assert text.endswith("the following arguments are required: fname\r\n")

    def test_unicode_both_ways(self, importer):
        """A file's name may have any characters."""
        _form, port = importer
        with TelnetSocket(port) as client:
            (shown,) = client.ask("import_file 'Grüße 世界 🌍'")
            assert "[import_file Grüße 世界 🌍]" in shown
            client.ask("_kill")

    def test_help(self, importer):
        """help and help CMD, and the commands that plac's console had as special ones."""
        _form, port = importer
        with TelnetSocket(port) as client:
            text = "\n".join(client.ask("help"))
            for name in (".kill", ".list", ".output", ".last_tb", ".quit", "import_file"):
                assert name in text
            assert "Import a file into the database" in "\n".join(client.ask("help import_file"))
            assert "number of the task" in "\n".join(client.ask("help .output"))

    @pytest.mark.parametrize(
        "line",
        ["_output 1 x.txt", "_output 1 -o x.txt", "_record x.txt", ".batch x.txt", "_save 1"],
    )
    def test_no_command_writes_a_file(self, importer, line):
        """plac's _output saves where the client says; here nothing does."""
        _form, port = importer
        with TelnetSocket(port) as client:
            text = "\n".join(client.ask(line))
            refusals = ("unrecognized arguments", "No command", "invalid int value")
            assert any(refusal in text for refusal in refusals), text


# -- in this process


@implementer(IHalfCloseableProtocol)
class Client(Protocol):
    """A client of a console, in the reactor."""

    def __init__(self):
        self.text = ""
        self.data = b""
        self.ended = Deferred()
        self._waiting = None

    def dataReceived(self, data):
        self.data += data
        self.text = self.data.decode()
        self._look()

    def connectionLost(self, reason):
        self.ended.callback(None)
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting[1].errback(reason)

    def readConnectionLost(self):
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass

    def _look(self):
        if self._waiting is not None and self.text.count(PROMPT) >= self._waiting[0]:
            waiting, self._waiting = self._waiting, None
            waiting[1].callback(None)

    def prompts(self, count):
        """Return a Deferred that fires when there have been so many prompts."""
        found = Deferred()
        self._waiting = count, found
        self._look()
        return found.addTimeout(PATIENCE, reactor)

    async def ask(self, line):
        """Type a line; return the answer, without the prompt."""
        since = len(self.text)
        self.transport.write(line.encode() + b"\r\n")
        await self.prompts(self.text.count(PROMPT) + 1)
        return self.text[since:].removesuffix(PROMPT).replace("\r\n", "\n")


class Hosted:
    """A console in this process; use it in an ``async with``."""

    def __init__(self, *containers, **options):
        options.setdefault("endpoints", ["tcp:0:interface=127.0.0.1"])
        self.service = ConsoleService(*(containers or [Desk]), reactor=reactor, **options)
        self.manager = self.service.manager

    async def __aenter__(self):
        self.service.startService()
        self.port = self.service.ports[0].getHost().port
        return self

    async def __aexit__(self, *_exc):
        await self.service.stopService()
        assert not self.service.ports

    async def connect(self):
        """Return a client that was greeted."""
        endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{self.port}")
        client = await endpoint.connect(Factory.forProtocol(Client))
        await client.prompts(1)
        return client


GREETING = f"Answers at once\n{PROMPT}"


async def work(client, number):
    """Run some commands; return what must have been shown for them, all in all."""
    expected = GREETING
    for turn in range(3):
        lines = "".join(f"{n} of {number}\n" for n in range(1, number + 1))
        assert await client.ask(f"count {number}") == lines
        words = f"client {number} turn {turn} " + "x" * 50 * number
        assert await client.ask(f"echo {words}") == words + "\n"
        shown = await client.ask("tick 3")
        assert re.fullmatch(r"<AsynTask \d+ \[tick 3\] SUBMITTED>\n", shown), shown
        wrong = await client.ask("dance")
        assert "No command" in wrong
        expected += f"{lines}{PROMPT}{words}\n{PROMPT}{shown}{PROMPT}{wrong}{PROMPT}"
    return expected


class TestMany:
    @pytest_twisted.ensureDeferred
    async def test_fifty_clients_at_once(self):
        """
        Each gets its own answers and whole prompts, though one client is killed, one
        never reads and one sends a megabyte without a newline.
        """
        limits = ConsoleLimits(patience=1.0)
        async with Hosted(limits=limits) as console:
            clients = await gatherResults(
                [Deferred.fromCoroutine(console.connect()) for _ in range(50)]
            )
            killed, deaf, flood, *good = clients
            deaf.transport.stopReading()
            deaf.transport.write(b"flood 2000\r\n" * 20)
            flood.transport.write(b"x" * 1_000_000)
            killed.transport.write(b"count 20000\r\ntick 5\r\ncount 20")
            working = [
                Deferred.fromCoroutine(work(client, number))
                for number, client in enumerate(good, 1)
            ]
            await deferLater(reactor, 0.05)
            killed.transport.abortConnection()
            expected = await gatherResults(working)
            for client, text in zip(good, expected, strict=True):
                assert client.text.replace("\r\n", "\n") == text
            # the one with a megabyte was told so once, and may go on
            await flood.prompts(2)
            refused = "a line of more than 16384 bytes is not taken (max_line)"
            assert flood.text.replace("\r\n", "\n") == f"{GREETING}\n{refused}\n{PROMPT}"
            assert await flood.ask("\r\necho a") == "a\n"
            # the deaf one was dropped in the end
            for _ in range(300):
                if len(console.service._factory.clients) == 48:
                    break
                await deferLater(reactor, 0.01)
            assert len(console.service._factory.clients) == 48
            await DeferredList([client.ended for client in (killed,)])

    @pytest_twisted.ensureDeferred
    async def test_all_see_the_same_tasks(self):
        """One client's task can be listed, followed and killed by another."""
        async with Hosted() as console:
            one = await console.connect()
            other = await console.connect()
            shown = await one.ask("drip")
            await deferLater(reactor, 0.01)
            running = shown.replace("SUBMITTED", "RUNNING")
            assert await other.ask("_list") == running
            other.transport.write(b".output -f\r\n")
            while "drip 9\r\n" not in other.text:
                await deferLater(reactor, 0.01)
            assert "TOBEKILLED" in await one.ask(".kill")
            await other.prompts(3)
            assert other.text.endswith(
                f"{running.replace('RUNNING', 'KILLED').strip()}\r\n{PROMPT}"
            )

    @pytest_twisted.ensureDeferred
    async def test_a_background_task_outlives_its_client(self):
        """The next client finds it."""
        async with Hosted() as console:
            one = await console.connect()
            await one.ask("drip")
            one.transport.abortConnection()
            await one.ended
            other = await console.connect()
            assert "[drip] RUNNING" in await other.ask("_list")

    @pytest_twisted.ensureDeferred
    async def test_a_client_that_does_not_read_costs_no_memory(self):
        """
        Its command runs on; what it puts out is kept in the ring alone, and when the
        client reads again it is told how much it has missed.
        """
        async with Hosted() as console:
            client = await console.connect()
            client.transport.pauseProducing()
            client.transport.write(b"flood 10000\r\n")
            while (task := console.manager.find()) is None or not task.done:
                await deferLater(reactor, 0.01)
            (server_side,) = console.service._factory.clients
            assert len(server_side.transport.dataBuffer) < 200_000
            client.transport.resumeProducing()
            await client.prompts(2)
            assert re.search(r"\.\.\. \d+ lines are no longer there \.\.\.\r\n", client.text)
            assert client.text.endswith(f" 9999\r\n{PROMPT}")


class TestService:
    @pytest_twisted.ensureDeferred
    async def test_stopping_says_good_bye(self):
        """Clients are told, tasks are ended with their finally, the port is free again."""
        console = Hosted()
        await console.__aenter__()
        client = await console.connect()
        client.transport.write(b"forever\r\n")
        while not console.manager.tasks("RUNNING"):
            await deferLater(reactor, 0.01)
        await console.service.stopService()
        await client.ended
        shown = client.text.replace("\r\n", "\n")
        assert shown.startswith(f"{GREETING}forever is over\n{PROMPT}\nthe console stops\n")
        socket.create_server(("127.0.0.1", console.port)).close()

    @pytest_twisted.ensureDeferred
    async def test_a_deaf_client_does_not_hold_up_the_stop(self):
        """A client that does not even read the good-bye is dropped after a second."""
        console = Hosted()
        await console.__aenter__()
        client = await console.connect()
        client.transport.stopReading()
        client.transport.write(b"flood 2000\r\n" * 20)
        (server_side,) = console.service._factory.clients
        stuck = 0
        while stuck < 20:  # its socket's buffers take some megabytes first
            stuck = 0 if server_side._drop_timer is None else stuck + 1
            await deferLater(reactor, 0.01)
        began = time.monotonic()
        await console.service.stopService()
        assert time.monotonic() - began < 5
        client.transport.abortConnection()

    @pytest_twisted.ensureDeferred
    async def test_a_unix_socket(self, tmp_path):
        """Is as good as loopback."""
        path = tmp_path / "console.sock"
        service = ConsoleService(Desk, endpoints=[f"unix:{path}"], reactor=reactor)
        service.startService()
        client = await clientFromString(reactor, f"unix:{path}").connect(
            Factory.forProtocol(Client)
        )
        await client.prompts(1)
        assert await client.ask("echo a") == "a\n"
        await service.stopService()
        await client.ended

    @pytest.mark.parametrize("endpoint", ["tcp:0", "tcp:0:interface=0.0.0.0", "tcp6:0"])
    @pytest_twisted.ensureDeferred
    async def test_where_anybody_could_come_is_refused(self, endpoint):
        """With a sentence that says what to write instead."""
        service = ConsoleService(Desk, endpoints=[endpoint], reactor=reactor)
        with pytest.raises(ValueError, match=r"interface=127\.0\.0\.1.*unix:PATH.*certificates"):
            service.startService()
        assert service.ports == []
        await service.stopService()

    @pytest_twisted.ensureDeferred
    async def test_tls_without_client_certificates_is_refused(self, certificate):
        """It keeps out nobody."""
        where = "ssl:0:privateKey={key}:certKey={certificate}".format(**certificate)
        service = ConsoleService(Desk, endpoints=[where], reactor=reactor)
        with pytest.raises(ValueError, match="client certificates"):
            service.startService()
        await service.stopService()

    @pytest_twisted.ensureDeferred
    async def test_tls_with_client_certificates(self, certificate):
        """May be reached from anywhere, by those who have one."""
        from twisted.internet import ssl
        from twisted.internet.endpoints import SSL4ClientEndpoint, SSL4ServerEndpoint

        with open(certificate["key"]) as key, open(certificate["certificate"]) as trusted:
            mine = ssl.PrivateCertificate.loadPEM(key.read() + trusted.read())
        endpoint = SSL4ServerEndpoint(reactor, 0, mine.options(mine))
        service = ConsoleService(Desk, endpoints=[endpoint], reactor=reactor)
        service.startService()
        port = service.ports[0].getHost().port
        dial = SSL4ClientEndpoint(reactor, "127.0.0.1", port, mine.options(mine))
        client = await dial.connect(Factory.forProtocol(Client))
        await client.prompts(1)
        assert await client.ask("count 2") == "1 of 2\n2 of 2\n"
        stranger = SSL4ClientEndpoint(reactor, "127.0.0.1", port, ssl.CertificateOptions())
        refused = await stranger.connect(Factory.forProtocol(Client))
        await refused.ended
        assert refused.text == ""
        await service.stopService()

    @pytest_twisted.ensureDeferred
    async def test_a_taken_port(self):
        """Is an error when the service is started."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            service = ConsoleService(Desk, endpoints=[where], reactor=reactor)
            with pytest.raises(CannotListenError):
                service.startService()
        await service.stopService()

    def test_names(self):
        """Two containers of one class can be told apart."""
        first, second = container_from(Threaded, ["a"]), container_from(Threaded, ["b"])
        assert list(containers_by_name([first, Desk, second])) == ["Threaded", "Desk", "Threaded2"]

    def test_no_container(self):
        """Is a mistake that is told."""
        with pytest.raises(ValueError, match="at least one container"):
            ConsoleService(reactor=reactor)
        with pytest.raises(ContainerError):
            ConsoleService(42, reactor=reactor)


def test_stuck_thread_does_not_hold_up_the_server():
    """
    A task that never yields, killed, is TOBEKILLED and stays so; twistd still ends
    within its time.
    """
    server = Twistd("tests.console.stuck.Stuck", options=["--drain", "0.5"])
    try:
        with TelnetSocket(server.port) as client:
            (shown,) = client.ask("sleep")
            client.until("_list", "RUNNING")
            client.ask("_kill")
            assert client.ask("_output")[0] == shown.replace("RUNNING", "TOBEKILLED")
            server.signal(signal.SIGTERM)
            began = time.monotonic()
            client.wait_for("the console stops")
            assert server.wait() in (0, -signal.SIGTERM)
            assert time.monotonic() - began < 5
    finally:
        server.kill()


def test_what_puts_out_very_much_holds_nobody_up():
    """
    Of one huge text the beginning is shown; who prints without end waits for the
    reactor, which serves others meanwhile, and ends at SIGTERM.
    """
    server = Twistd("tests.console.flood.Flood", options=["--drain", "0.5"])
    try:
        with TelnetSocket(server.port) as client, TelnetSocket(server.port) as other:
            for command, told in (("text", "put out at once are left out"), ("value", "rest is")):
                began = time.monotonic()
                assert told in client.ask(command)[-1]
                assert time.monotonic() - began < PATIENCE / 5
            for command in ("thtext", "thvalue", "endless"):
                client.ask(command)
                for _ in range(5):
                    assert other.ask("fine") == ["all is well"]
            client.until("_list", "endless.*RUNNING")
            server.signal(signal.SIGTERM)
            began = time.monotonic()
            assert server.wait() in (0, -signal.SIGTERM)
            assert time.monotonic() - began < PATIENCE / 2
    finally:
        server.kill()
