"""
``txremote demo``: a real ``twistd txremote`` on loopback, and clients that use it.

Each step is a piece of source that is printed, then run as it was printed.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure
from twisted.web.client import Agent

import txremote
from txremote import Topic, exposed, offloaded
from txremote.printing import DONE, FAILED, INTERRUPTED, put
from txremote.running import run_in_reactor
from txremote.work import pool_from_string
from txremote.work.childprocess import how_it_ended

#: Seconds that twistd may take to come up.
START_TIMEOUT = 30

_TWISTD = "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"
_SERVICE = ("txremote", "--service", "txremote.demo.DemoService")
_BY_HAND = ("-n", *_SERVICE, "--admin", "tcp:9180:interface=127.0.0.1")
_SERVING = re.compile(r"txremote serves on 127\.0\.0\.1:(\d+)")
_ADMIN = re.compile(r"the admin site is on (\S+), its token in (\S+)")


@dataclass
class Player:
    """A record, which travels as a value where an annotation names it."""

    name: str
    level: int


class DemoService(txremote.Service, values=True):
    """The service of the demo."""

    exposed_motto = "one await away"
    exposed_news = Topic()

    def __init__(self) -> None:
        self._players = ["ann", "bob", "cy"]

    @exposed
    def add(self, a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @exposed
    def divide(self, a: float, b: float) -> float:
        """Divide a number by another."""
        return a / b

    @exposed
    def players(self) -> object:
        """Give a list, by reference: its annotation names no value."""
        return self._players

    @exposed
    def strongest(self, players: list[Player]) -> Player:
        """Give the player of the highest level, as a value."""
        return max(players, key=lambda player: player.level)

    @exposed
    def squares(self, count: int) -> Iterator[int]:
        """Push squares to the client, as fast as it reads them."""
        return (number**2 for number in range(count))

    @exposed
    def announce(self, line: str) -> None:
        """Publish a line to all who have subscribed to the news."""
        self.exposed_news.publish(line)

    @exposed
    async def count_down(self, start: int, report: Callable[[int], Awaitable[object]]) -> str:
        """Call a function of the client's, now and then, while others are served."""
        from twisted.internet import reactor

        for number in range(start, 0, -1):
            await report(number)
            await deferLater(reactor, 0.05)
        return "lift-off"

    @exposed
    @offloaded
    def crunch(self, numbers: int, progress: Callable[[str], object]) -> int:
        """Compute in a process of the pool, and report progress to the client."""
        total = 0
        for number in range(1, numbers + 1):
            total += number**2
            progress(f"{100 * number // numbers}%")
        return total

    def not_exposed(self) -> None:
        """Out of reach."""


_TOUR = """\
# A call is a Deferred: one request, one answer
await conn.root.add(2, 3)

# An attribute
await conn.root.motto

# An exception comes with its type and its remote traceback
try:
    await conn.root.divide(1, 0)
except ZeroDivisionError as error:
    print(error)

# Nothing is reachable that is not exposed
try:
    await conn.root.not_exposed()
except AttributeError as error:
    print(error.args[0])

# What is mutable stays where it is, and is used through a reference
players = await conn.root.players()
await players.append("dee")
print(players, await players[0], await len_remote(players))

# A remote list iterated: many items a round trip
[name async for name in players]

# Values: where annotations name them, copies go over, with their types, and are checked
from txremote.demo import DemoService, Player
game = typed(conn.root, DemoService)
print(await game.strongest([Player("ann", 3), Player("bob", 7)]))
try:
    await game.strongest([Player("ann", 3), Player("bob", "seven")])
except TypeError as error:
    print(error.args[0])

# A stream: the server pushes, as fast as the loop reads
[square async for square in conn.root.squares(6)]

# A topic: whoever has subscribed hears what is published, here by a function
news = []
subscription = await conn.root.news.subscribe(news.append)
await conn.root.announce("the gate opens")
await conn.root.announce("a dragon comes out")
news

# Events: the server calls a function of ours while our call is under way
heard = []
print(await conn.root.count_down(3, heard.append))
heard

# Work in another process, so that the server is free; it calls us back while it runs
await conn.root.crunch(4, print)

# run_async, Evennia's: a function or a source somewhere else, callbacks when it is done
pool = pool_from_string("processes:1")
await pool.start()
source = "from math import factorial; _return(factorial(n))"
await run_async(source, n=20, at_return=print, pool=pool)
await pool.stop()

# RPyC's AsyncResult over any call
result = async_(conn.root.count_down)(3, heard.append)
print(result.ready, result)
await result
print(result.ready, result.value)"""

#: Titles, and sources that may await.
_STEPS = [step.removeprefix("# ").split("\n", 1) for step in _TOUR.split("\n\n")]

_STOCK_CLIENT = """\
import rpyc
conn = rpyc.connect("127.0.0.1", {port})
print(conn.root.add(2, 3), conn.root.motto, list(conn.root.players()))
conn.close()"""


class _Server(ProcessProtocol):
    """The twistd process: fires with its port and its page when it serves, and with its end."""

    def __init__(self, has_page: bool) -> None:
        self._has_page = has_page
        self.output = b""
        self.serves: Deferred[tuple[int, str]] = Deferred()
        self.ended: Deferred[str] = Deferred()

    def outReceived(self, data: bytes) -> None:
        """Fire ``serves`` when the lines with the port, and with the page's address, are there."""
        self.output += data
        text = self.output.decode(errors="replace")
        found, page = _SERVING.search(text), _ADMIN.search(text)
        if found and (page or not self._has_page) and not self.serves.called:
            self.serves.callback((int(found[1]), page[1] if page else ""))

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """Fire both Deferreds, unless they have fired."""
        # before the failure to serve: its handler asks whether the process is still there
        self.ended.callback(how_it_ended(reason))
        if not self.serves.called:
            text = self.output.decode(errors="replace")
            self.serves.errback(Failure(RuntimeError(f"twistd did not start:\n{text}")))


def _print_step(title: str, source: str) -> None:
    print(f"\n# {title}")
    for number, line in enumerate(source.splitlines()):
        print((">>> " if not number else "... ") + line)


async def _run_source(source: str, names: dict[str, object]) -> None:
    """Run source that may await, and print the value of a last expression as a prompt does."""
    *before, last = ast.parse(source).body
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for part, mode in ((ast.Module(before, []), "exec"), (ast.Interactive([last]), "single")):
        ran = eval(compile(part, "<demo>", mode, flags), names)
        if inspect.iscoroutine(ran):
            await ran


async def _show_steps(port: int) -> None:
    names: dict[str, object] = {name: getattr(txremote, name) for name in txremote.__all__}
    names["pool_from_string"] = pool_from_string
    begin = ["A client in a reactor", f'conn = await connect("tcp:127.0.0.1:{port}")']
    for title, source in (begin, *_STEPS):
        _print_step(title, source)
        await _run_source(source, names)
    if find_spec("rpyc") is None:
        print("\n# (a stock RPyC client would come here: pip install rpyc)")
    else:
        await _stock_client(port)
    await _run_source("_ = await conn.close()", names)


async def _stock_client(port: int) -> None:
    source = _STOCK_CLIENT.format(port=port)
    _print_step("An unmodified RPyC program, in a process of its own", source)
    out, err, status = await getProcessOutputAndValue(
        sys.executable, ["-P", "-c", source], env=dict(os.environ)
    )
    print((out if status == 0 else err).decode(errors="replace").rstrip())
    if status:
        raise RuntimeError(f"the RPyC client ended with status {status}")


async def _show_page(page: str, reactor: IReactorProcess) -> None:
    if not page:
        print("\n# (its live page would come here: pip install 'txremote[admin]')")
        return
    source = f'answer = await Agent(reactor).request(b"GET", b"{page}healthz")\nanswer.code'
    _print_step(f"The server's live page is {page}; metrics and health are beside it", source)
    await _run_source(source, {"Agent": Agent, "reactor": reactor})


async def _main(reactor: IReactorProcess) -> None:
    words = [
        *("-n", "--pidfile=", *_SERVICE),
        *("--listen", "tcp:0:interface=127.0.0.1", "--pool", "processes:1"),
    ]
    has_page = find_spec("prometheus_client") is not None
    if has_page:
        words += ["--admin", "tcp:0:interface=127.0.0.1"]
    print("$ twistd " + " ".join(words))
    server = _Server(has_page)
    process = reactor.spawnProcess(
        server,
        sys.executable,
        # -P: no module of the folder where the demo happens to run gets in the way
        [sys.executable, "-P", "-c", _TWISTD, *words],
        env=dict(os.environ),
    )
    try:
        server.serves.addTimeout(START_TIMEOUT, IReactorTime(reactor))
        port, page = await server.serves
        print(f"(serves on 127.0.0.1:{port})")
        await _show_steps(port)
        await _show_page(page, reactor)
    finally:
        if not server.ended.called:
            process.signalProcess("TERM")
        ended = await server.ended
    # once everything is closed it ends itself by the same signal
    stopped = ended.endswith(("status 0", "(SIGTERM)"))
    print(f"\n# twistd was told to stop, and {'has stopped' if stopped else ended}")
    print(f"# To look around yourself: twistd {' '.join(_BY_HAND)}")
    if not stopped:
        raise RuntimeError(f"twistd {ended}:\n{server.output.decode(errors='replace')}")


async def _shown(reactor: IReactorCore) -> int:
    try:
        await _main(IReactorProcess(reactor))
    except CancelledError:  # Ctrl-C
        return INTERRUPTED
    except Exception:  # of any kind: a step's, or twistd's
        put()  # or that nobody reads what is printed, which this raises
        traceback.print_exc()
        return FAILED
    return DONE


def run_demo() -> int:
    """Run the demo, and return its exit status: 0 if every step did what it shows."""
    return run_in_reactor(_shown)
