"""
The README's table of what txremote and its peers have: each cell is shown.

A cell of txremote's names the test that shows it. One of a peer's is what a probe finds in the
peer's own package: something that was run, or what its sources have, or have nothing of. Where
foolscap or Pyro5 are not installed (``benchmarks/requirements.txt`` has them), theirs are skipped.
"""

import contextlib
import functools
import importlib.util
import re
import threading
from importlib.metadata import metadata
from pathlib import Path

import pytest
import pytest_twisted
import rpyc
from docutils import nodes
from twisted.protocols import amp
from twisted.spread import pb
from twisted.test.iosim import connectedServerAndClient

from tests.document_runner import doctree
from tests.processes import ROOT, free_port

#: The peers, and the modules that they are.
PEERS = {
    "RPyC": "rpyc",
    "PB": "twisted.spread",
    "AMP": "twisted.protocols.amp",
    "foolscap": "foolscap",
    "Pyro5": "Pyro5",
}

#: The rows of the table: what txremote has, and the test that shows it.
SHOWN = {
    "objects by reference, both ways": (
        "tests/test_examples.py::test_counting_tells_its_progress_and_holds_nobody_up"
    ),
    "a call is a Deferred": "tests/test_examples.py::test_client_shows_every_step",
    "asyncio without a reactor": "tests/aio/test_compat.py::test_a_client_needs_no_reactor",
    "a plain call in a script": "tests/test_examples.py::test_from_a_script",
    "declared types are checked": "tests/test_examples.py::test_arrays_come_as_a_stream",
    "pushed streams that wait for slow readers": (
        "tests/streams/test_long_files.py::test_a_large_file_to_a_slow_reader_takes_little_memory"
    ),
    "topics": "tests/test_examples.py::test_all_watchers_hear_what_one_publishes",
    "a call given up ends at the server": (
        "tests/net/test_listen.py::test_cancelling_a_call_cancels_it_at_the_server"
    ),
    "workers replaced without a failed call": (
        "tests/daemon/workers/test_rolling.py"
        "::test_no_call_fails_while_all_workers_are_replaced_three_times"
    ),
}


@functools.cache
def table():
    """Return the README's table: row -> column -> cell."""
    for shown in doctree(ROOT / "README.rst").findall(nodes.table):
        head, *rows = [[entry.astext() for entry in row] for row in shown.findall(nodes.row)]
        if head[:2] == ["what there is", "txremote"]:
            return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    raise AssertionError("the README has no such table")


@functools.cache
def source_of(module):
    """Return the source of a module, or of all modules of a package but for its tests."""
    spec = importlib.util.find_spec(module)
    if not spec.submodule_search_locations:
        return Path(spec.origin).read_text()
    (folder,) = spec.submodule_search_locations
    files = [path for path in sorted(Path(folder).rglob("*.py")) if "test" not in path.parts]
    return "\n".join(path.read_text() for path in files)


def has(pattern):
    """Make a probe: whether a peer's sources have something."""
    return lambda module: re.search(pattern, source_of(module)) is not None


class Thing:
    """A service without a word of a peer's: its annotation says int, and its callers say str."""

    def double(self, number: int):
        return number * 2

    def items(self):
        yield from range(10)

    def call(self, other):
        return other.double("x")


class OfRPyC(rpyc.Service):
    exposed_double, exposed_items, exposed_call = Thing.double, Thing.items, Thing.call


class OfPB(pb.Root):
    remote_double = Thing.double

    def remote_call(self, other):
        return other.callRemote("double", "x")


@contextlib.contextmanager
def rpyc_conn():
    """Give a connection of RPyC's to the service, in two threads."""
    conn = rpyc.connect_thread(service=OfRPyC, remote_service=OfRPyC)
    try:
        yield conn
    finally:
        conn.close()


@contextlib.contextmanager
def pyro_proxy():
    """Give a proxy of Pyro5's to the service, and an object that a daemon here serves."""
    api = pytest.importorskip("Pyro5.api", reason="Pyro5 is not installed")
    with contextlib.ExitStack() as running:
        things = [api.expose(type("Exposed", (), dict(vars(Thing))))() for _number in range(2)]
        for thing in things:
            daemon = api.Daemon(host="127.0.0.1")
            daemon.register(thing)
            serving = threading.Thread(target=daemon.requestLoop)
            serving.start()
            running.callback(serving.join)
            running.callback(daemon.shutdown)
        with api.Proxy(things[0]._pyroDaemon.uriFor(things[0])) as proxy:
            yield proxy, things[1]


def pb_call(name, *words):
    """Return the result of a call of PB's, or its Failure."""
    server, client = pb.PBServerFactory(OfPB()), pb.PBClientFactory()
    *_protocols, pump = connectedServerAndClient(
        lambda: server.buildProtocol(None), lambda: client.buildProtocol(None)
    )
    results = []
    client.getRootObject().addCallback(lambda root: root.callRemote(name, *words)).addBoth(
        results.append
    )
    pump.flush()
    return results[0]


class TestReferences:
    """Each side calls an object of the other's."""

    ROW = "objects by reference, both ways"

    def test_rpyc(self):
        """A method of the client's object is called by the server."""
        with rpyc_conn() as conn:
            assert conn.root.call(OfRPyC()) == "xx"
        assert table()[self.ROW]["RPyC"] == "yes"

    def test_pb(self):
        """A Referenceable's."""

        class Here(pb.Referenceable):
            remote_double = Thing.double

        assert pb_call("call", Here()) == "xx"
        assert table()[self.ROW]["PB"] == "yes"

    def test_amp(self):
        """No kind of argument takes an object."""
        kinds = [amp.Integer, amp.String, amp.Unicode, amp.Float, amp.Boolean, amp.Decimal]
        kinds += [amp.DateTime, amp.Path, amp.Descriptor, amp.ListOf, amp.AmpList]
        public = [each for name, each in vars(amp).items() if name[0] != "_"]
        found = {
            each for each in public if isinstance(each, type) and issubclass(each, amp.Argument)
        }
        assert found - {amp.Argument} == set(kinds)
        assert table()[self.ROW]["AMP"] == "no"

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest_twisted.ensureDeferred
    async def test_foolscap(self):
        """A Referenceable's, of another Tub."""
        api = pytest.importorskip("foolscap.api", reason="foolscap is not installed")

        class There(api.Referenceable):
            remote_call = OfPB.remote_call

        class Here(api.Referenceable):
            remote_double = Thing.double

        server, client = api.Tub(), api.Tub()
        for tub in (server, client):
            tub.startService()
        try:
            port = free_port()
            server.listenOn(f"tcp:{port}:interface=127.0.0.1")
            server.setLocation(f"tcp:127.0.0.1:{port}")
            root = await client.getReference(server.registerReference(There()))
            assert await root.callRemote("call", Here()) == "xx"
        finally:
            await client.stopService()
            await server.stopService()
        assert table()[self.ROW]["foolscap"] == "yes"

    def test_pyro5(self):
        """An object that a daemon in the client serves is called by the server."""
        with pyro_proxy() as (proxy, other):
            assert proxy.call(other) == "xx"
        assert table()[self.ROW]["Pyro5"] == "yes"


class TestTypes:
    """What is declared is compared with what comes."""

    ROW = "declared types are checked"

    def test_annotations_are_not_looked_at(self):
        """RPyC, PB and Pyro5 run a method of ints with a str."""
        with rpyc_conn() as conn:
            assert conn.root.double("x") == "xx"
        assert pb_call("double", "x") == "xx"
        with pyro_proxy() as (proxy, _other):
            assert proxy.double("x") == "xx"
        assert [table()[self.ROW][peer] for peer in ("RPyC", "PB", "Pyro5")] == ["no"] * 3

    def test_amp(self):
        """An argument that is no number is refused where it arrives."""
        with pytest.raises(ValueError, match="seven"):
            amp.Integer().fromString(b"seven")
        assert table()[self.ROW]["AMP"] == "yes"

    def test_foolscap(self):
        """A constraint of a RemoteInterface refuses it, too."""
        constraint = pytest.importorskip("foolscap.constraint", reason="foolscap is not installed")
        pytest.importorskip("foolscap.schema")  # makes constraints of types
        with pytest.raises(constraint.Violation):
            constraint.IConstraint(int).checkObject("seven", True)
        assert table()[self.ROW]["foolscap"] == "yes"


class TestStreams:
    """Who asks for each item: a pushed stream needs no request for each."""

    ROW = "pushed streams that wait for slow readers"

    def test_rpyc(self):
        """Ten items take ten requests and more."""
        with rpyc_conn() as conn:
            items = conn.root.items()
            before = next(conn._seqcounter)
            assert list(items) == list(range(10))
            assert next(conn._seqcounter) - before > 10
        assert table()[self.ROW]["RPyC"] == "no"

    def test_pyro5(self):
        """The same."""
        with pyro_proxy() as (proxy, _other):
            items = proxy.items()
            before = proxy._pyroSeq
            assert list(items) == list(range(10))
            assert proxy._pyroSeq - before >= 10
        assert table()[self.ROW]["Pyro5"] == "no"

    def test_of_twisted(self):
        """PB has a Pager of bytes, which waits for each page's answer; the others none."""
        assert has(r"class StringPager\(")("twisted.spread")
        assert [has("Pager")(PEERS["AMP"]), table()[self.ROW]["AMP"]] == [False, "no"]
        assert table()[self.ROW]["PB"] == "of bytes"
        pytest.importorskip("foolscap", reason="foolscap is not installed")
        assert [has("Pager")("foolscap"), table()[self.ROW]["foolscap"]] == [False, "no"]


#: What a peer's sources have where it has what a row says.
TRACES = {
    "a call is a Deferred": has(r"twisted\.(?:internet|python)|from twisted"),
    "a plain call in a script": lambda module: not has(r"twisted\.(?:internet|python)")(module),
    "asyncio without a reactor": has("asyncio|__await__"),
    "topics": has(r"(?i)\btopics?\b|pubsub|\bevent ?server"),
    "a call given up ends at the server": has(r"(?i)def cancel(?!Rem)|canceller"),
    "workers replaced without a failed call": has(r"(?i)worker process|graceful|\brolling"),
}


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("row", TRACES)
def test_sources(row, peer):
    """A peer's sources have a trace of what the table says it has, and none of what it has not."""
    pytest.importorskip(PEERS[peer], reason=f"{peer} is not installed")
    assert table()[row][peer] == ("yes" if TRACES[row](PEERS[peer]) else "no")


def test_each_claim_names_its_test():
    """The rows are those above, and the tests that show what txremote has are there."""
    assert list(table()) == list(SHOWN)
    for row, place in SHOWN.items():
        assert table()[row]["txremote"] == "yes"
        path, _colons, name = place.partition("::")
        assert re.search(rf"\bdef {name}\(", (ROOT / path).read_text()), place


def test_what_others_have():
    """The sentence below the table: other languages, and references that are handed on."""
    pytest.importorskip("foolscap", reason="foolscap is not installed")
    pytest.importorskip("Pyro5", reason="Pyro5 is not installed")
    told = metadata("Pyro5")
    assert ".NET and Java" in f"{told['Description']} {told.get_payload()}"
    assert has("def makeGift")("foolscap")
    from Pyro5.api import Proxy
    from Pyro5.serializers import serializers

    serpent = serializers["serpent"]
    handed_on = serpent.loads(serpent.dumps(Proxy("PYRO:thing@127.0.0.1:1")))
    assert isinstance(handed_on, Proxy)
