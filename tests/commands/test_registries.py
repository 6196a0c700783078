"""``txremote registry`` and ``txremote find``, as they are typed."""

from __future__ import annotations

import json
import signal
import socket
from typing import Any

import pytest
from rpyc.utils.registry import TCPRegistryClient, UDPRegistryClient

from tests.processes import Program, run, script

REGISTRY = (script("txremote"), "registry", "--port", "0")


def find(*words: object) -> tuple[int, str, str]:
    """Run ``txremote find``."""
    found: tuple[int, str, str] = run(script("txremote"), "find", *words)
    return found


def test_a_registry_is_asked_from_the_command_line() -> None:
    """It ends by SIGTERM, without an error."""
    with Program(*REGISTRY, "--list", "--max-per-host", "3") as registry:
        port = int(registry.wait_for(r"a registry serves on 127.0.0.1:(\d+) by UDP and TCP")[1])
        assert registry.output.count(f"txremote registry starting on {port}") == 2
        url = f"rpyc://127.0.0.1:{port}"
        assert UDPRegistryClient("127.0.0.1", port).register(("Shop", "Till"), 18861)
        assert TCPRegistryClient("127.0.0.1", port).register(("Shop",), 18862)
        assert not UDPRegistryClient("127.0.0.1", port, timeout=0.1).register(("a", "b"), 18863)
        assert find("shop", "--registry", url) == (
            *(0, "tcp:127.0.0.1:18861\ntcp:127.0.0.1:18862\n", ""),
        )
        status, said, _errors = find("till", "--json", "--registry", url.replace(":", "+tcp:", 1))
        assert (status, json.loads(said)) == (0, [expected(18861)])
        assert find("--registry", url)[:2] == (0, "SHOP\nTILL\n")
        assert find("nobody", "--registry", url) == (
            *(1, "", "txremote: nobody serves 'nobody', as far as the registry knows\n"),
        )
        registry.signal(signal.SIGTERM)
        assert registry.finish() == 0


def expected(port: int) -> dict[str, Any]:
    """Return what is known of a server that RPyC's protocol has told of."""
    name = f"tcp:127.0.0.1:{port}"
    place = {"host": "127.0.0.1", "port": port, "scheme": "tcp", "load": None, "key": name}
    return {"server": name, **place}


def test_what_cannot_be_done_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its exit status."""
    monkeypatch.delenv("TXREMOTE_REGISTRY", raising=False)
    assert find("x", "--registry", "rpyc://127.0.0.1:1")[0] == 2
    status, _said, errors = find("x")
    assert status == 2
    assert errors.startswith("txremote: no registry is named: say --registry URL")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _said, errors = run(script("txremote"), "registry", "--port", port)
        assert (status, errors.count("cannot listen on 127.0.0.1")) == (2, 1)
    assert run(script("txremote"), "registry", "--port", "x")[0] == 2
