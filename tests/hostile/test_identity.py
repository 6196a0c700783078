"""
Peers that pretend: with certificates and passwords that are none of theirs, with
calls and objects of others, with what was said before.
"""

from __future__ import annotations

import shutil
import ssl
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.attacker import Attacker, request
from tests.hostile.conftest import SWITCHES, Siege
from tests.net.certificates import DAY, Authority
from tests.peer.pairs import Local, Remote, RemoteError
from txremote.eventloop.login_throttle import FAILURE_DELAY
from txremote.wire.brine import dump
from txremote.wire.consts import (
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CANCEL,
    HANDLE_CLOSE,
    HANDLE_CMP,
    HANDLE_DEADLINE,
    HANDLE_DEL,
    HANDLE_DIR,
    HANDLE_GETATTR,
    HANDLE_GETROOT,
    HANDLE_INSPECT,
    HANDLE_INSTANCECHECK,
    HANDLE_PING,
    HANDLE_RELEASE,
    HANDLE_REPR,
    MSG_EXCEPTION,
    MSG_REPLY,
)
from txremote.wire.framing import frame

FUNCTION = Remote(("builtins.function", 1, 2))

# -- certificates


def another(folder: Path, name: str) -> Authority:
    """Return an authority that nobody knows, called as the one that is known."""
    (folder / name).mkdir()
    return Authority(folder / name)


def made_by_himself(siege: Siege, folder: Path) -> str:
    """Return a certificate that says "authority" and signs itself."""
    shutil.copy(another(folder, "self").issue("authority"), folder / "self.pem")
    return str(folder / "self.pem")


CERTIFICATES: dict[str, Any] = {
    "none": lambda siege, folder: None,
    "another's": lambda siege, folder: another(folder, "other").issue("guest"),
    "expired": lambda siege, folder: siege.authority.issue("late", -DAY),
    "his own": made_by_himself,
}


def context(siege: Siege, certificate: str | None) -> ssl.SSLContext:
    """Return what a client needs for TLS."""
    made = ssl.create_default_context(cafile=siege.authority.path)
    if certificate is not None:
        made.load_cert_chain(certificate)
    return made


@pytest.mark.parametrize("kind", list(CERTIFICATES))
def test_certificates_that_are_no_good(siege: Siege, tmp_path: Path, kind: str) -> None:
    """Not a byte of the wire is read from whoever has one; twenty try at once."""
    trusting = context(siege, CERTIFICATES[kind](siege, tmp_path))
    with siege.attack(), ExitStack() as stack:
        for _ in range(20):
            one = stack.enter_context(Attacker(siege.ports["tls"]))
            try:
                with trusting.wrap_socket(one.socket, server_hostname="127.0.0.1") as secure:
                    secure.sendall(request(1, HANDLE_GETROOT))
                    assert secure.recv(100) == b""
            except (ssl.SSLError, ConnectionError):
                continue  # refused in the handshake, or by an alert behind it


def test_a_certificate_is_no_licence(siege: Siege) -> None:
    """Who is let in may send garbage, and is hung up on as everybody else."""
    trusting = context(siege, siege.guest_certificate)
    with siege.attack(), Attacker(siege.ports["tls"]) as one:
        with trusting.wrap_socket(one.socket, server_hostname="127.0.0.1") as secure:
            secure.sendall(request(1, HANDLE_GETROOT))
            assert secure.recv(5)[4] == 0
            secure.sendall(b"\xff" * 100_000)
            while secure.recv(1 << 16):
                continue


# -- passwords


def test_wrong_passwords(siege: Siege) -> None:
    """Each is answered late, and tells nothing; one who logs in meanwhile does not wait."""
    guesses = [("ann", "wrong"), ("nobody", "secret"), ("ann", ""), ("\0", "x" * 100_000)]
    with siege.attack(), ExitStack() as stack:
        started = time.monotonic()
        asked = []
        for number, guess in enumerate(guesses):
            one = stack.enter_context(Attacker(siege.ports["login"], f"127.0.0.{10 + number}"))
            asked.append((one, one.send_request(HANDLE_CALLATTR, one.root(), "login", guess, ())))
        with Attacker(siege.ports["login"]) as honest:
            home = honest.call(honest.root(), "login", "ann", "secret")
            assert honest.call(home, "add", 1, 2) == 3
            assert time.monotonic() - started < FAILURE_DELAY
        for one, number in asked:
            assert one.answer(number) == RemoteError("UnauthorizedLogin", "wrong user or password")
            assert time.monotonic() - started >= FAILURE_DELAY


def test_many_passwords_at_once(siege: Siege) -> None:
    """Of one connection one is looked at, and the right one among them helps nobody."""
    with siege.attack(), Attacker(siege.ports["login"], "127.0.0.20") as one:
        root = one.root()
        numbers = [
            one.send_request(HANDLE_CALLATTR, root, "login", ("ann", password), ())
            for password in ("guess", *map(str, range(50)), "secret")
        ]
        for number in numbers[1:]:
            assert one.answer(number).name == "UnauthorizedLogin"


def test_many_connections_guess_no_faster_than_one(siege: Siege) -> None:
    """Of all that come from an address one is looked at; others come in meanwhile."""
    guesses = [("ann", f"guess {number}") for number in range(12)]
    with siege.attack(), ExitStack() as stack:
        asked = []
        started = time.monotonic()
        for guess in (*guesses, ("ann", "secret")):
            one = stack.enter_context(Attacker(siege.ports["login"], "127.0.0.30"))
            asked.append((one, one.send_request(HANDLE_CALLATTR, one.root(), "login", guess, ())))
        with Attacker(siege.ports["login"], "127.0.0.31") as honest:
            home = honest.call(honest.root(), "login", "ann", "secret")
            assert honest.call(home, "add", 1, 2) == 3
            assert time.monotonic() - started < FAILURE_DELAY
        first, number = asked[0]
        assert first.answer(number) == RemoteError("UnauthorizedLogin", "wrong user or password")
        assert time.monotonic() - started >= FAILURE_DELAY
        for one, number in asked[1:]:  # the second's answer is due later than login_timeout
            assert one.hung_up() == "closed"
            assert number not in one._answers


def test_a_neighbour_who_guesses(siege: Siege) -> None:
    """Who has logged in from an address before does not wait for others there."""
    with siege.attack(), ExitStack() as stack:
        for _ in range(2):
            started = time.monotonic()
            with Attacker(siege.ports["login"], "127.0.0.32") as honest:
                home = honest.call(honest.root(), "login", "ann", "secret")
                assert honest.call(home, "add", 1, 2) == 3
            assert time.monotonic() - started < FAILURE_DELAY
            for _ in range(8):
                one = stack.enter_context(Attacker(siege.ports["login"], "127.0.0.32"))
                one.send_request(HANDLE_CALLATTR, one.root(), "login", ("bob", "guess"), ())


def test_a_guess_that_is_taken_back(siege: Siege) -> None:
    """To cancel a login whose answer is late is no way to guess faster."""
    with siege.attack(), Attacker(siege.ports["login"], "127.0.0.21") as one:
        number = one.send_request(HANDLE_CALLATTR, one.root(), "login", ("ann", "guess"), ())
        one.send_request(HANDLE_CANCEL, number)
        assert one.hung_up() == "closed"


def test_who_has_not_logged_in_reaches_nothing(siege: Siege) -> None:
    """Nothing but login, and not for long."""
    with siege.attack(), Attacker(siege.ports["login"]) as one:
        root = one.root()
        for name in ("add", "thing", "_portal", "_throttle", "on_connect", "__class__", "__dict__"):
            assert isinstance(one.ask(HANDLE_GETATTR, root, name), RemoteError)
            assert isinstance(one.call(root, name), RemoteError)
        login = one.ask(HANDLE_GETATTR, root, "login")
        for name in ("__self__", "__func__", "__globals__", "__code__"):
            assert isinstance(one.ask(HANDLE_GETATTR, login, name), RemoteError)
        started = time.monotonic()
        assert one.hung_up() == "closed"
        assert time.monotonic() - started < SWITCHES["login_timeout"] + 5


def test_more_than_may_be_there_without_a_login(siege: Siege) -> None:
    """They are told why; who has logged in does not count, and no address has all places."""
    half = SWITCHES["max_logins"] // 2
    with siege.attack(), ExitStack() as stack:
        strangers = []
        for source in ("127.0.0.2", "127.0.0.3"):
            for _ in range(half):
                strangers.append(stack.enter_context(Attacker(siege.ports["login"], source)))
                strangers[-1].root()
            with Attacker(siege.ports["login"], source) as late:
                told = late.ask(HANDLE_GETROOT).text
                assert "option max_logins" in told
        assert f"{2 * half} connections have not" in told
        with Attacker(siege.ports["login"], "127.0.0.4") as late:
            assert "option max_logins" in late.ask(HANDLE_GETROOT).text
        strangers[0].call(strangers[0].root(), "login", "ann", "secret")
        with Attacker(siege.ports["login"]) as next_one:
            next_one.root()


# -- what is others'


def test_a_good_bye_that_is_repeated(siege: Siege) -> None:
    """The first is the last: what stands behind it is not looked at."""
    close = request(7, HANDLE_CLOSE)
    with siege.attack(), ExitStack() as stack:
        for behind in (close * 20, request(8, HANDLE_GETROOT) * 20, b"\xff" * 1000):
            one = stack.enter_context(Attacker(siege.ports["plain"]))
            one.root()
            one.send(close + behind)
            one.hung_up()
            assert not one._answers
        first = stack.enter_context(Attacker(siege.ports["plain"]))
        first.send(close)
        first.hung_up()


def test_calls_of_others_are_not_cancelled(siege: Siege) -> None:
    """Neither by their number, nor by an answer or a deadline that comes from elsewhere."""
    with siege.attack(), ExitStack() as stack:
        victim, thief = (stack.enter_context(Attacker(siege.ports["plain"])) for _ in range(2))
        waiting = victim.send_request(HANDLE_CALLATTR, victim.root(), "wait", ("key",), ())
        calling = victim.send_request(HANDLE_CALLATTR, victim.root(), "call", (FUNCTION,), ())
        asked, _args = victim.next_request()
        root = thief.root()
        for number in range(-5, 200):
            thief.ask(HANDLE_CANCEL, number)
            thief.ask(HANDLE_DEADLINE, number, 0)
            thief.send(frame(bytes([MSG_REPLY]) + dump((number, (1, "stolen")))))
            thief.send(frame(bytes([MSG_EXCEPTION]) + dump((number, 1))))
        assert thief.call(root, "go", "key") is True
        assert victim.answer(waiting) == "key"
        victim.send(frame(bytes([MSG_REPLY]) + dump((asked, (1, "mine")))))
        assert victim.answer(calling) == "mine"


def asking(thing: Local) -> list[tuple[Any, ...]]:
    """Return requests of each kind that are about an object."""
    return [
        (HANDLE_GETATTR, thing, "number"),
        (HANDLE_CALLATTR, thing, "number", (), ()),
        (HANDLE_CALL, thing, (), ()),
        (HANDLE_CALLPATH, thing, ("number",), None, ()),
        (HANDLE_REPR, thing),
        (HANDLE_DIR, thing),
        (HANDLE_CMP, thing, thing, "__eq__"),
        (HANDLE_DEL, thing, 1),
        (HANDLE_RELEASE, ((thing.pack, 1),)),
        (HANDLE_INSPECT, thing.pack),
        (HANDLE_INSTANCECHECK, thing, thing.pack),
    ]


def test_objects_of_others_are_not_reached(siege: Siege) -> None:
    """An id means something on its own connection only, whatever stands in it."""
    with siege.attack(), ExitStack() as stack:
        victim, thief = (stack.enter_context(Attacker(siege.ports["plain"])) for _ in range(2))
        things = victim.call(victim.root(), "things", 5)
        root = thief.root()
        for thing in things:
            for words in asking(thing):
                assert isinstance(thief.ask(*words), RemoteError), words
        name, kind, _number = things[0].pack
        for number in range(-2, 40):
            for forged in ((name, kind, number), (root.pack[0], kind, number), (name, number, 0)):
                if forged != root.pack:
                    answer = thief.ask(HANDLE_GETATTR, Local(forged), "number")
                    assert isinstance(answer, RemoteError), forged
        assert [victim.ask(HANDLE_GETATTR, thing, "number") for thing in things] == [*range(5)]


def test_what_was_given_back_is_gone(siege: Siege) -> None:
    """Old ids are not used again, and releases cannot be repeated."""
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        old = one.call(root, "thing", 1)
        release = request(500, HANDLE_RELEASE, ((old.pack, 1),))
        one.send(release)
        assert one.answer(500) is None
        new = one.call(root, "thing", 2)
        for _ in range(3):
            one.send(release)
            assert isinstance(one.answer(500), RemoteError)
            for words in asking(old):
                assert isinstance(one.ask(*words), RemoteError), words
        assert one.ask(HANDLE_GETATTR, new, "number") == 2
        assert one.ask(HANDLE_PING, 1) == 1
