"""
`CertificateFile`: the certificates in a PEM file, read anew when it has changed, and what an
operator has to know of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from txremote.eventloop.certificates import concern, subject_of

if TYPE_CHECKING:  # it comes with the extra tls
    from cryptography.x509 import Certificate

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def pem_certificates(path: str) -> list[bytes]:
    """Return the certificates in a PEM file. Raises OSError, or ValueError: there is none."""
    with open(path, "rb") as file:
        found = _PEM.findall(file.read())
    if not found:
        raise ValueError(f"{path} holds no certificate in PEM")
    return found


def stamp_of(path: str) -> tuple[int, int, int]:
    """Return what changes when a file is renewed. OSError: it is not there."""
    seen = os.stat(path)
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


class CertificateFile:
    """
    The certificates in a file.

    Attributes:
        path: Its path, absolute: the process may leave its working directory.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._stamp: tuple[int, int, int] | None = None
        self._found: list[Certificate] = []

    def certificates(self) -> list[Certificate]:
        """Return the certificates; those that were read last where the file cannot be read now."""
        try:
            stamp = stamp_of(self.path)
            if stamp != self._stamp:
                self._found = _read(self.path)
                self._stamp = stamp
        except (OSError, ValueError, ImportError):  # it is just being renewed, say
            pass
        return self._found

    def concerns(self, now: datetime) -> list[str]:
        """Return a sentence for each certificate that an operator should look at."""
        return [
            f"{self.path}: the certificate of {subject_of(each)} {words}"
            for each in self.certificates()
            if (words := concern(each, now)) is not None
        ]


def _read(path: str) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificate

    return [load_pem_x509_certificate(pem) for pem in pem_certificates(path)]


def concerns_of(paths: Iterable[str]) -> list[str]:
    """Return a sentence for each certificate in some files that an operator should look at."""
    now = datetime.now(UTC)
    return [sentence for path in paths for sentence in CertificateFile(path).concerns(now)]
