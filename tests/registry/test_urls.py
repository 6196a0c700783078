"""How registries are named."""

from __future__ import annotations

import pytest

from txremote.registry.urls import VARIABLE, registry_url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rpyc://registry.example", "rpyc://registry.example:18811"),
        ("rpyc+udp://10.0.0.1:7", "rpyc://10.0.0.1:7"),
        ("rpyc+tcp://[::1]:7", "rpyc+tcp://[::1]:7"),
        ("redis://:s3%40cret@host/2", "redis://host:6379"),
        ("rediss://me:s3cret@host:7", "rediss://host:7"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_a_url_is_taken_apart(text: str, shown: str) -> None:
    """And shown without its password."""
    url = registry_url(text)
    assert str(url) == shown
    assert "s3" not in repr(url)
    assert url.password == {"redis": "s3@cret", "rediss": "s3cret"}.get(url.kind)
    assert url.database == (2 if url.kind == "redis" else 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no registry is named: say --registry URL, or set TXREMOTE_REGISTRY"),
        ("host:18811", "names no registry: it is rpyc://HOST"),
        ("http://host", "names no registry"),
        ("rpyc://", "names no registry"),
        ("rpyc://host:99999", "makes no sense"),
        ("rpyc://me@host", "has too much in it"),
        ("redis://host/x", "a database of Redis's is a number"),
        ("redis://:s3cret@host?db=1", "^redis://host has something behind it"),
        ("redis://:s3cret@host/x", "^redis://host/x: a database"),
    ],
)
def test_what_is_none_says_what_would_be(
    text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no password stands in the sentence."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ValueError, match=sentence) as caught:
        registry_url(text)
    assert "s3cret" not in str(caught.value)


def test_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is said."""
    monkeypatch.setenv(VARIABLE, "rpyc://10.0.0.255")
    assert registry_url(None).host == "10.0.0.255"
    assert registry_url(None).is_broadcast
    assert not registry_url("rpyc+tcp://10.0.0.255").is_broadcast
    assert registry_url("redis://localhost").is_here
    assert not registry_url("redis://10.0.0.1").is_here
