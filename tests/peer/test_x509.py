"""
A peer's certificate as cryptography has it. With real TLS: ``tests/net/test_tls.py`` and
``tests/aio/test_tls.py``.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from txremote.peer.x509 import x509_of


@pytest.mark.parametrize(
    "transport",
    [
        None,
        SimpleNamespace(),
        SimpleNamespace(getPeerCertificate=lambda: None),
        SimpleNamespace(peer_certificate_bytes=lambda: None, getPeerCertificate=dict),
        SimpleNamespace(peer_certificate_bytes=lambda: b""),
    ],
)
def test_without_tls_or_a_certificate_there_is_none(transport: Any) -> None:
    """Whatever the transport has to say of it."""
    assert x509_of(transport) is None
