"""The connection to Redis, which is killed, stopped and started again."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.net.certificates import Authority
from tests.net.servers import DEADLINE, until
from tests.processes import free_port
from tests.registry.servers import Redis
from txremote.errors import RegistryUnreachable
from txremote.registry import redis_registry
from txremote.registry.choosing import registry_from
from txremote.registry.ports import Place
from txremote.registry.redis_registry import RedisRegistry
from txremote.registry.urls import registry_url


@pytest.mark.parametrize(
    ("password", "sentence"),
    [("", "Authentication required"), (":wrong@", "WRONGPASS")],
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_an_error_and_stands_in_none(
    redis: Redis, password: str, sentence: str
) -> None:
    registry = registry_from(f"redis://{password}127.0.0.1:{redis.port}", reactor)
    with pytest.raises(RegistryUnreachable, match=sentence) as caught:
        await registry.find("shop")
    assert f"redis://127.0.0.1:{redis.port}" in str(caught.value)
    assert ":wrong" not in str(caught.value)
    await registry.close()


@pytest_twisted.ensureDeferred
async def test_redis_may_hang_be_killed_and_come_back(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question ends in its time; watches and entries go on when it is there again."""
    monkeypatch.setattr(redis_registry, "TIMEOUT", 0.3)
    with Redis(tmp_path_factory.mktemp("redis")) as redis:
        registry = RedisRegistry(registry_url(redis.url), reactor, renew_every=0.1)
        other = RedisRegistry(registry_url(redis.url), reactor)
        entry = registry.register(("shop",), Place("10.0.0.1", 7))
        seen: list[int] = []
        other.watch("shop", lambda places: seen.append(len(places)), every=0.1)
        await until(lambda: seen[-1:] == [1])
        redis.signal(signal.SIGSTOP)
        with pytest.raises(RegistryUnreachable, match=r"no answer within 0.3 s"):
            await other.find("shop")
        redis.signal(signal.SIGCONT)
        assert len(await other.find("shop")) == 1
        redis.kill()
        with pytest.raises(RegistryUnreachable, match="cannot be"):
            await other.find("shop")
        redis.start()
        while not await other.find("shop"):  # it had forgotten everything
            pass
        await until(lambda: seen[-1] == 1)
        await entry.leave()
        assert await other.find("shop") == ()
        redis.kill()
        await entry.leave()  # it does not fail
        await registry.close()
        await other.close()


@pytest_twisted.ensureDeferred
async def test_a_connection_that_is_still_being_made_is_closed_too() -> None:
    """By a Redis that takes it and says nothing: nobody would close it later."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = registry_url(f"redis://:s3cret@127.0.0.1:{hanging.getsockname()[1]}")
        registry = RedisRegistry(url, reactor)
        finding = registry.find("shop")
        taken, _address = await deferToThread(hanging.accept)
        with taken:
            assert await deferToThread(taken.recv, 5)  # so it is connected, and logs in
            await registry.close()
            with pytest.raises(RegistryUnreachable, match="cannot be used"):
                await finding
            taken.settimeout(DEADLINE)
            with suppress(ConnectionResetError):
                while await deferToThread(taken.recv, 1000):
                    pass


@pytest.mark.parametrize("trusted", [True, False])
@pytest_twisted.ensureDeferred
async def test_the_certificate_of_a_redis_is_checked(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And why it is not taken is said."""
    authority = Authority(tmp_path)
    mine = authority.issue("redis")
    port = free_port()
    tls = ("--tls-port", str(port), "--tls-cert-file", mine, "--tls-key-file", mine)
    words = (*tls, "--tls-ca-cert-file", authority.path, "--tls-auth-clients", "no")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", authority.path)
    with Redis(tmp_path, *words):
        registry = registry_from(f"rediss://localhost:{port}", reactor)
        if trusted:
            assert await registry.find("shop") == ()
        else:
            with pytest.raises(RegistryUnreachable, match="certificate verify failed"):
                await registry.find("shop")
        await registry.close()
