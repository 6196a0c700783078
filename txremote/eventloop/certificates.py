"""
Certificates in words: whose one is, until when it is valid, and why it was refused.

For people, so dates are days. It is cryptography's `x509.Certificate` that is described, which the
extra ``tls`` brings; this module can be imported without it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, Literal

from txremote.wire.naming import readable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: Days before its end from which a certificate is said to expire soon.
SOON: Final = 30

#: How a certificate may be.
State = Literal["ok", "expires soon", "expired", "not yet valid"]

OK: Final = "ok"
EXPIRES_SOON: Final = "expires soon"
EXPIRED: Final = "expired"
NOT_YET_VALID: Final = "not yet valid"

# OpenSSL's numbers, which Python's ssl has as ``verify_code``
_NOT_YET = 9
_EXPIRED = 10
_REVOKED = 23
_WRONG_PURPOSE = 26
_WRONG_NAME = (62, 64)
_UNSIGNED = (2, 18, 19, 20, 21, 27)

_LONGEST = 200  # characters of a name, which its owner has chosen
_MOST_NAMES = 5


def subject_of(certificate: Certificate) -> str:
    """Return whose certificate it is: ``CN=ann``, or its first name where it has no subject."""
    text = certificate.subject.rfc4514_string()
    return _plain(text or ", ".join(names_of(certificate)[:1]) or "without a name")


def issuer_of(certificate: Certificate) -> str:
    """Return who has signed it."""
    return _plain(certificate.issuer.rfc4514_string() or "without a name")


def _plain(text: str) -> str:
    return readable(text[:_LONGEST])


def names_of(certificate: Certificate) -> list[str]:
    """Return the hosts that it is for: names and addresses."""
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # it has none, or one that cannot be read
        return []
    return [_plain(str(each.value)) for each in found if hasattr(each, "value")]


def valid_from(certificate: Certificate) -> datetime:
    """Return when it begins to be valid."""
    return _moment(certificate, "not_valid_before")


def valid_until(certificate: Certificate) -> datetime:
    """Return when it expires."""
    return _moment(certificate, "not_valid_after")


def _moment(certificate: Certificate, name: str) -> datetime:
    found: datetime | None = getattr(certificate, f"{name}_utc", None)
    if found is None:  # cryptography before 42
        older: datetime = getattr(certificate, name)
        found = older.replace(tzinfo=UTC)
    return found


def state_of(certificate: Certificate, now: datetime) -> State:
    """Return how a certificate is: `OK`, `EXPIRES_SOON`, `EXPIRED` or `NOT_YET_VALID`."""
    if now < valid_from(certificate):
        return NOT_YET_VALID
    until = valid_until(certificate)
    if now > until:
        return EXPIRED
    return EXPIRES_SOON if days_left(certificate, now) < SOON else OK


def days_left(certificate: Certificate, now: datetime) -> float:
    """Return the days until it expires; negative if it has."""
    return (valid_until(certificate) - now).total_seconds() / 86_400


def concern(certificate: Certificate, now: datetime) -> str | None:
    """Return what an operator should know of a certificate, as a sentence's end, or None."""
    state = state_of(certificate, now)
    until = f"{valid_until(certificate):%Y-%m-%d}"
    if state == OK:
        return None
    if state == EXPIRED:
        return f"expired on {until}"
    if state == NOT_YET_VALID:
        return f"is not valid before {valid_from(certificate):%Y-%m-%d}"
    days = int(days_left(certificate, now))
    left = "today" if days == 0 else f"in {days} {'day' if days == 1 else 'days'}"
    return f"expires {left}, on {until}"


def why_refused(certificate: Certificate, code: int, whose: str, wanted: str = "") -> str:
    """
    Return why a peer's certificate was refused, as a sentence.

    Args:
        certificate: The one that OpenSSL complains of: the peer's, or an authority's above it.
        code: OpenSSL's number.
        whose: ``the server's certificate``, say.
        wanted: The host that it should be for.
    """
    it = f"{whose} ({subject_of(certificate)})"
    if code == _EXPIRED:
        if valid_until(certificate) > datetime.now(UTC):
            return f"{it} is not trusted: an authority above it has expired"
        return f"{it} expired on {valid_until(certificate):%Y-%m-%d}"
    if code == _NOT_YET:
        return f"{it} is not valid before {valid_from(certificate):%Y-%m-%d}: is the clock right?"
    if code in _WRONG_NAME:
        names = names_of(certificate)
        those = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
        return f"{it} is for {those or 'no host'}, not {wanted}"
    if code in _UNSIGNED:
        return (
            f"{it} is not trusted: no authority that is known here has signed it (its issuer is "
            f"{issuer_of(certificate)})"
        )
    if code == _REVOKED:
        return f"{it} was revoked"
    if code == _WRONG_PURPOSE:
        return f"{it} is not made for this use (its key usage)"
    return f"{it} is refused (OpenSSL's error {code})"


def is_for(certificate: Certificate, host: str) -> bool:
    """Tell whether a certificate is for a host: a name, or an address."""
    from service_identity import VerificationError
    from service_identity.cryptography import (
        verify_certificate_hostname,
        verify_certificate_ip_address,
    )

    check: Any = verify_certificate_hostname
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        check = verify_certificate_ip_address
    try:
        check(certificate, host)
    except VerificationError:
        return False
    except Exception:  # CertificateError: it has no names, or such as cannot be read
        return False
    return True
