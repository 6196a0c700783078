"""
What an operator should know of a server; by files and certificates, see ``test_check.py``.
"""

from __future__ import annotations

import pytest

from txremote.daemon.addresses import ListenAddress
from txremote.daemon.advice import advice, certificate_files
from txremote.daemon.plan import ConsolePlan, ServerPlan
from txremote.daemon.problems import ConfigOrigin

ORIGIN = ConfigOrigin()


@pytest.mark.parametrize(
    ("listen", "options", "words"),
    [
        ("tcp:1", {}, "other machines can reach tcp:1, and call what is exposed: --auth wants"),
        ("tcp:1", {"auth": ("file:x",)}, "passwords travel in the clear on tcp:1: --tls-cert"),
        ("tcp:1", {"tls_cert": "/nosuch.pem"}, None),
        ("tcp:1:interface=127.0.0.1", {}, None),
        ("ssl:1:privateKey=/nosuch.pem", {}, None),
        ("unix:x", {}, None),
        ("systemd:domain=INET:index=0", {}, None),
    ],
)
def test_what_strangers_may_do_is_told(listen: str, options: dict[str, str], words: str) -> None:
    """Only where they can come, and nothing keeps them out."""
    plan = ServerPlan(origin=ORIGIN, **options)  # type: ignore[arg-type]
    told = list(advice(plan, [ListenAddress(listen, None)]))
    assert [each.startswith(words) for each in told] == ([True] if words else [])


def test_of_a_console_it_is_refused_before() -> None:
    """So nothing is told here."""
    assert list(advice(ConsolePlan(origin=ORIGIN), [ListenAddress("tcp:1", None)])) == []


def test_each_file_of_certificates_is_known_once() -> None:
    """Those of a plan, and those of Twisted's own endpoints."""
    plan = ServerPlan(origin=ORIGIN, tls_cert="a.pem", tls_ca="ca.pem")
    assert certificate_files(plan, [ListenAddress("tcp:1", None)] * 2) == ["a.pem", "ca.pem"]
    own = [ListenAddress(f"ssl:1:privateKey=k.pem{more}", None) for more in ("", ":certKey=c.pem")]
    assert certificate_files(ServerPlan(origin=ORIGIN), own) == ["k.pem", "c.pem"]
