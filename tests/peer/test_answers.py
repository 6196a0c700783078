"""
`Answers`: every call has its answer, whatever it gives or raises.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from twisted.internet.address import IPv4Address

from tests.peer.pairs import (
    Outcome,
    RawPeer,
    logged,
)
from txremote import Service, exposed, threaded
from txremote.testing import connected_pair
from txremote.wire.consts import (
    HANDLE_CALLATTR,
)


class Raising(Service):
    @exposed
    def fail(self, kind: str) -> None:
        raise MAKERS[kind]()

    @exposed
    def fail_at_length(self, text: str) -> None:
        raise OSError(text)

    @exposed
    async def fail_later(self) -> None:
        raise OSError("too late")

    @exposed
    @threaded
    def fail_in_a_thread(self) -> None:
        raise OSError("elsewhere")


class BadRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class BadStr(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no str")

    __repr__ = __str__


class BadDir(Exception):
    def __dir__(self) -> list[str]:
        raise RuntimeError("no dir")


class BadArgs(Exception):
    @property
    def args(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no args")


class BadProperty(Exception):
    @property
    def code(self) -> int:
        raise RuntimeError("no code")


class BadMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        if name == "__module__":
            raise RuntimeError("no module")
        return super().__getattribute__(name)


class BadClass(Exception, metaclass=BadMeta):
    pass


def deep_argument() -> Exception:
    value: Any = ()
    for _ in range(5000):
        value = (value,)
    return ValueError(value)


MAKERS: dict[str, Any] = {
    "a repr that raises": lambda: ValueError(BadRepr()),
    "a str that raises": BadStr,
    "a dir that raises": BadDir,
    "args that raise": BadArgs,
    "a property that raises": BadProperty,
    "a class that raises": BadClass,
    "a deep argument": deep_argument,
    "a huge argument": lambda: ValueError("x" * 3_000_000),
    "many arguments": lambda: ValueError(*range(100_000)),
    "a huge int": lambda: ValueError(10**10_000),
    "a surrogate": lambda: ValueError("\ud800"),
    "a surrogate in its name": lambda: type("Bad\ud800", (Exception,), {})("x"),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "a bare BaseException": lambda: BaseException("x"),
    "a group": lambda: ExceptionGroup("g", [ValueError(1), KeyError(2)]),
    "recursion": lambda: RecursionError("deep"),
    "StopIteration": lambda: StopIteration(3),
    "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    "OSError": lambda: FileNotFoundError(2, "no such file", "x.txt"),
    "a null in its name": lambda: type("a\u2028b", (Exception,), {})("x"),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("traceback", [True, False])
def test_any_exception_is_answered_whatever_its_class_does(kind: str, traceback: bool) -> None:
    pair = connected_pair(server_root=Raising, server_config={"include_local_traceback": traceback})
    outcome = Outcome(pair.client.root.fail(kind))
    pair.pump()
    assert isinstance(outcome.error, Exception)
    assert not isinstance(outcome.error, (SystemExit, KeyboardInterrupt))
    str(outcome.error)
    with pytest.raises(TypeError):
        pair.result(pair.client.root.fail())


def test_an_os_error_reads_as_it_does_at_home() -> None:
    pair = connected_pair(server_root=Raising, server_config={"include_local_traceback": False})
    outcome = Outcome(pair.client.root.fail("OSError"))
    pair.pump()
    assert str(outcome.error).startswith("[Errno 2] no such file: 'x.txt'\n")
    assert (outcome.error.errno, outcome.error.filename) == (2, "x.txt")  # type: ignore[attr-defined]


def test_a_result_that_cannot_be_sent_is_an_error_that_says_so() -> None:
    pair = connected_pair(server_root=Raising)
    pair.server.service.exposed_bad = lambda: ("\ud800", object())
    with pytest.raises(ValueError, match="UTF-8"):
        pair.result(pair.client.root.bad())
    assert len(pair.server._tables.exports) == 1


@pytest.mark.parametrize(
    ("switch", "address", "shown"),
    [
        (None, None, True),
        (None, "127.0.0.1", True),
        (None, "10.0.0.1", False),
        (True, "10.0.0.1", True),
        (False, None, False),
        (False, "127.0.0.1", False),
    ],
)
def test_tracebacks_go_to_peers_on_this_machine_unless_the_switch_says_otherwise(
    switch: Any, address: Any, shown: bool
) -> None:
    where = IPv4Address("TCP", address, 1) if address else None
    peer = RawPeer(Raising, where, include_local_traceback=switch)
    root = peer.root()
    peer.send_request(HANDLE_CALLATTR, root, "fail", ("OSError",), ())
    ((_kind, _number, (_name, _args, _attributes, text)),) = peer.received()
    assert ("in fail" in text) is shown
    assert bool(re.fullmatch(r"<traceback denied, reference [0-9a-f]{8}>", text)) is not shown


def test_a_traceback_that_is_kept_back_is_logged_under_the_number_that_the_peer_is_told() -> None:
    """The operator finds what the user complains about."""
    with logged() as log:
        peer = RawPeer(Raising, include_local_traceback=False)
        root = peer.root()
        peer.send_request(HANDLE_CALLATTR, root, "fail", ("OSError",), ())
        ((_kind, _number, (_name, _args, _attributes, text)),) = peer.received()
    (reference,) = re.findall(r"failed, reference ([0-9a-f]{8})\n", log.text())
    assert reference in text
    assert "in fail" in log.text()


def test_a_peer_cannot_fill_the_log_with_what_it_says() -> None:
    """What its callback failed with may be many MiB; start and end are logged."""
    with logged() as log:
        peer = RawPeer(Raising, include_local_traceback=False)
        root = peer.root()
        peer.send_request(HANDLE_CALLATTR, root, "fail_at_length", ("x" * 1_000_000 + "end",), ())
        peer.received()
    text = log.text()
    assert len(text) < 30_000
    assert "in fail_at_length" in text
    assert "characters are left out" in text
    assert "xxend" in text


@pytest.mark.parametrize("name", ["fail_later", "fail_in_a_thread"])
def test_the_log_names_the_method_and_not_what_runs_it(name: str) -> None:
    """A coroutine's first frame is Twisted's, and a thread's is of this package."""
    with logged() as log:
        pair = connected_pair(server_root=Raising, server_config={"include_local_traceback": False})
        outcome = Outcome(getattr(pair.client.root, name)())
        pair.pump()
    assert isinstance(outcome.error, OSError)
    assert f"Raising.{name}, called by" in log.text()


def test_a_refusal_is_no_failure_and_has_no_number() -> None:
    """A name that is not exposed leaves no traceback in the log."""
    with logged() as log:
        peer = RawPeer(Raising, include_local_traceback=False)
        root = peer.root()
        peer.send_request(HANDLE_CALLATTR, root, "nothing", (), ())
        ((_kind, _number, (_name, _args, _attributes, text)),) = peer.received()
    assert text == "<traceback denied>"
    assert "reference" not in log.text()


def test_exceptions_are_logged_at_debug_level_or_to_a_logger_of_ones_own(caplog: Any) -> None:
    logger = logging.getLogger("tests.peer.inbound")
    pair = connected_pair(server_root=Raising, server_config={"logger": logger})
    with caplog.at_level(logging.DEBUG, logger.name):
        Outcome(pair.client.root.fail("OSError"))
        pair.pump()
    assert "no such file" in caplog.text
    with logged() as log:
        pair = connected_pair(server_root=Raising)
        Outcome(pair.client.root.fail("OSError"))
        pair.pump()
    assert "Raising.fail, called by unix, raised FileNotFound" in log.text()
    with logged() as log:
        pair = connected_pair(server_root=Raising, server_config={"log_exceptions": False})
        Outcome(pair.client.root.fail("OSError"))
        pair.pump()
    assert log.text() == ""


def test_an_exception_that_cannot_be_printed_can_be_logged() -> None:
    for kind in ("a str that raises", "a repr that raises", "a dir that raises"):
        logger = logging.getLogger("tests.peer.inbound.quiet")
        logger.addHandler(logging.NullHandler())
        for config in ({}, {"logger": logger}):
            pair = connected_pair(server_root=Raising, server_config=config)
            outcome = Outcome(pair.client.root.fail(kind))
            with logged():
                pair.pump()
            assert outcome.fired
