"""The bus of one host: who serves it, who may connect, and what a process may send."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.net.servers import until
from tests.peer.pairs import logged
from txremote.buses import host
from txremote.buses.host import ENVIRONMENT, LONGEST_MESSAGE, HostBus, serve, socket_path
from txremote.buses.ports import LONGEST, Refused
from txremote.wire import brine


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A place whose name is short enough for a socket."""
    found = tmp_path_factory.mktemp("b")
    assert len(str(found)) < 90
    yield str(found / "bus")


@asynccontextmanager
async def served(path: str) -> AsyncIterator[HostBus]:
    from twisted.internet import reactor

    bus = serve(path, reactor)
    assert bus is not None
    try:
        yield bus
    finally:
        await bus.stop()


@pytest_twisted.ensureDeferred
async def test_only_the_account_may_connect_and_one_process_serves(path: str) -> None:
    from twisted.internet import reactor

    Path(path).touch()  # whatever is there is none that somebody serves
    os.unlink(path)
    async with served(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(f"{path}.lock").st_mode) == 0o600
        assert serve(path, reactor) is None
    assert not os.path.exists(path)
    async with served(path):
        pass


@pytest_twisted.ensureDeferred
async def test_what_a_killed_process_has_left_is_removed(path: str) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(path)
    dead.close()
    async with served(path) as bus:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            await until(lambda: bus.clients)


def framed(*parts: object) -> bytes:
    data = brine.dump(parts)
    return len(data).to_bytes(4, "big") + data


async def sent(path: str, data: bytes, answers: int = 0) -> list[object]:
    """Send bytes; return some answers, and b"" where the connection has ended."""

    def talk() -> list[object]:
        found: list[object] = []
        with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as file:
            client.settimeout(20)
            client.connect(path)
            with suppress(BrokenPipeError):
                client.sendall(data)
            for _ in range(answers or 1):
                try:
                    head = file.read(4)
                except ConnectionResetError:
                    head = b""
                if not head:
                    return [*found, b""]
                found.append(brine.load(file.read(int.from_bytes(head, "big"))))
        return found

    found: list[object] = await deferToThread(talk)
    return found


GOOD = framed(1, "join", "t", None) + framed(2, "publish", "t", ((b"x", b"k", None),))


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ((LONGEST_MESSAGE + 1).to_bytes(4, "big"), "LONGEST_MESSAGE"),
        (b"\0\0\0\2\xff\xff", "byte|tag"),
        (framed(1, "join"), "host's bus that is none|missing"),
        (framed(1, "stop", "t"), "asks for what there is not"),
        (framed("1", "leave", "t"), "asks for what there is not"),
        (framed(1, ("leave",), "t"), "asks for what there is not|unhashable"),
        (framed(1, "join", "t"), "missing 1 required"),
        (framed(1, "join", "t" * 1001, None), "at most 1000 characters"),
        (framed(1, "join", b"t", None), "at most 1000 characters"),
        (framed(1, "join", "t", (1, "2")), "two numbers"),
        (framed(1, "join", "t", (1, 2, 3)), "too many values"),
        (framed(1, "join", "t", 10**25), "max_int_digits"),
        (framed(1, "publish", "t", 5), "tuple"),
        (framed(1, "publish", "t", ((5, None, None),)), "bytes"),
        (framed(1, "publish", "t", ((bytes(LONGEST + 1), None, None),)), "LONGEST of a bus"),
        (framed(1, "read", (("t", None),)), "tuple"),
        (framed(1, "retained", "t", "k"), "bytes"),
        (framed(1, "read", ((((((((1,),),),),),),),)), "max_depth"),
        (framed(1, "read", (1,) * 200_001), "max_items"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_message_that_is_none_costs_its_sender_the_connection(
    path: str, message: bytes, says: str
) -> None:
    """It is told in the log by the limit's name, and nobody else notices."""
    async with served(path) as bus:
        with logged() as log:
            assert await sent(path, message) == [b""]
        assert "a process is disconnected" in log.text()
        assert re.search(says, log.text()), log.text()
        [joined, news, published] = await sent(path, GOOD, 3)
        assert joined[:2] == (1, True)  # type: ignore[index]
        assert (news, published[:2]) == ((0, True, "t"), (2, True))  # type: ignore[index]
        await until(lambda: not bus.clients)


@pytest_twisted.ensureDeferred
async def test_news_is_told_once_until_the_topic_is_read(path: str) -> None:
    publish = framed(2, "publish", "t", ((b"x", None, None),))
    async with served(path):
        messages = framed(1, "join", "t", None) + publish * 3
        messages += framed(3, "read", (("t", (0, 0)),)) + publish
        found = await sent(path, messages, 8)
        assert [message[0] for message in found] == [1, 0, 2, 2, 2, 3, 0, 2]  # type: ignore[index]


@pytest_twisted.ensureDeferred
async def test_who_does_not_read_its_answers_is_not_read(path: str) -> None:
    """So they take no more memory than a socket has, and some events' answers."""
    big = framed(1, "publish", "t", ((bytes(1 << 20), None, None),))
    async with served(path) as bus:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            await deferToThread(_send_until_full, client, big, 1)
            asked = await deferToThread(
                _send_until_full, client, framed(2, "read", (("t", (0, 0)),)), 100_000
            )
            assert asked < 100_000
            [served_one] = bus.clients
            pending = served_one._transport
            assert len(pending.dataBuffer) + pending._tempDataLen < 4 << 20
        await until(lambda: not bus.clients)


def _send_until_full(client: socket.socket, data: bytes, times: int) -> int:
    client.settimeout(0.3)
    for number in range(times):
        try:
            client.sendall(data)
        except TimeoutError:
            return number
    return times


@pytest_twisted.ensureDeferred
async def test_processes_that_are_connected_are_bounded(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "MOST_CLIENTS", 1)
    async with served(path) as bus:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            await until(lambda: bus.clients)
            with logged() as log:
                assert await sent(path, b"") == [b""]
            assert "MOST_CLIENTS" in log.text()


@pytest_twisted.ensureDeferred
async def test_more_topics_than_the_most_are_refused(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("txremote.buses.keeping.MOST_TOPICS", 0)
    async with served(path):
        [found] = await sent(path, framed(1, "publish", "t", ((b"x", None, None),)))
        assert found[:2] == (1, False)  # type: ignore[index]


def test_the_place_is_private_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    found = socket_path()
    assert found == str(tmp_path / "txremote" / "bus")
    assert stat.S_IMODE((tmp_path / "txremote").stat().st_mode) == 0o700
    (tmp_path / "txremote").chmod(0o750)
    with pytest.raises(PermissionError, match=ENVIRONMENT):
        socket_path()
    (tmp_path / "txremote").rmdir()
    (tmp_path / "elsewhere").mkdir(0o700)
    (tmp_path / "txremote").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="not a private folder"):
        socket_path()
    monkeypatch.setenv(ENVIRONMENT, "/run/x")
    assert socket_path() == "/run/x"
    monkeypatch.delenv(ENVIRONMENT)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert socket_path() == str(tmp_path / f"txremote-{os.geteuid()}" / "bus")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another account")
def test_another_accounts_socket_is_not_used(path: str) -> None:
    Path(path).touch()
    host.check_owner(path)
    os.chown(path, 12345, 12345)
    with pytest.raises(Refused, match="another account"):
        host.check_owner(path)
