"""
Certificates in words: real ones, made here, of each kind.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.x509 import Certificate, load_pem_x509_certificate

from tests.net.certificates import DAY, Authority
from txremote.eventloop.certificates import (
    concern,
    is_for,
    names_of,
    state_of,
    subject_of,
    why_refused,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One that began two days ago, and has forty to go."""
    path = Authority(tmp_path_factory.mktemp("pem")).issue("ann", 40 * DAY)
    return load_pem_x509_certificate(Path(path).read_bytes())


@pytest.mark.parametrize(
    ("days", "state", "words"),
    [
        (-3, "not yet valid", "is not valid before {from}"),
        (0, "ok", None),
        (9.9, "ok", None),
        (10.1, "expires soon", "expires in 29 days, on {until}"),
        (38.5, "expires soon", "expires in 1 day, on {until}"),
        (39.5, "expires soon", "expires today, on {until}"),
        (40.5, "expired", "expired on {until}"),
    ],
)
def test_an_operator_is_told_thirty_days_before(
    certificate: Certificate, days: float, state: str, words: str | None
) -> None:
    """And of one that is not valid yet, or any more; with the day."""
    now = datetime.now(UTC) + days * DAY
    assert state_of(certificate, now) == state
    dates = {
        "from": f"{datetime.now(UTC) - 2 * DAY:%Y-%m-%d}",
        "until": f"{datetime.now(UTC) + 40 * DAY:%Y-%m-%d}",
    }
    assert concern(certificate, now) == (None if words is None else words.format(**dates))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (9, " is not valid before 20"),
        (10, " is not trusted: an authority above it has expired"),
        (18, " is not trusted: no authority that is known here has signed it (its issuer is CN=a"),
        (20, " is not trusted: no authority that is known here has signed it (its issuer is CN=a"),
        (23, " was revoked"),
        (26, " is not made for this use"),
        (62, " is for localhost, 127.0.0.1, not example.org"),
        (999, " is refused (OpenSSL's error 999)"),
    ],
)
def test_each_refusal_is_a_sentence(certificate: Certificate, code: int, words: str) -> None:
    """That says whose certificate it is."""
    told = why_refused(certificate, code, "the server's certificate", "example.org")
    assert told.startswith(f"the server's certificate (CN=ann){words}")


def test_whom_a_certificate_is_for(certificate: Certificate) -> None:
    """Its names and addresses, and nothing else; not its subject."""
    assert subject_of(certificate) == "CN=ann"
    assert names_of(certificate) == ["localhost", "127.0.0.1"]
    assert [is_for(certificate, host) for host in ("localhost", "127.0.0.1")] == [True, True]
    assert not any(is_for(certificate, host) for host in ("ann", "127.0.0.2", "::1", "", "*"))
