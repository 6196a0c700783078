"""
One password as text: scrypt with its parameters and its salt.

The text is the usual one, ``$scrypt$ln=15,r=8,p=3$SALT$HASH`` in base64 without padding, which
other programs read as well. The parameters are those of the line, so they can be raised for new
passwords, and old ones go on being valid. A line that would take more memory or time than `MOST`
is refused: the file may be written by another program.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from typing import Final, NamedTuple

PREFIX: Final = "$scrypt$"

#: Most memory that one password may take to hash, in bytes; and how often that may be gone over.
MOST_MEMORY: Final = 128 * 1024 * 1024
MOST_PASSES: Final = 16

_TEXT = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)


class Parameters(NamedTuple):
    """The cost of scrypt: ``2 ** ln`` rounds on blocks of ``r``, ``p`` times over."""

    ln: int
    r: int
    p: int

    @property
    def memory(self) -> int:
        """The bytes that one hash takes while it is made."""
        return 128 * self.r * ((1 << self.ln) + self.p + 2)


#: Of new passwords: 32 MB, and about a quarter of a second on one core (OWASP's advice of 2023).
USUAL: Final = Parameters(15, 8, 3)


class Hash(NamedTuple):
    """A password that has been hashed."""

    parameters: Parameters
    salt: bytes
    digest: bytes

    def matches(self, password: bytes) -> bool:
        """Hash a password, which takes a while, and compare it in constant time. Any thread."""
        made = _scrypt(password, self.salt, self.parameters, len(self.digest))
        return hmac.compare_digest(made, self.digest)

    def __str__(self) -> str:
        ln, r, p = self.parameters
        return f"{PREFIX}ln={ln},r={r},p={p}${_encoded(self.salt)}${_encoded(self.digest)}"


def hash_of(password: bytes, parameters: Parameters = USUAL) -> Hash:
    """Hash a password with a salt of its own. It takes a while; any thread."""
    salt = secrets.token_bytes(16)
    return Hash(parameters, salt, _scrypt(password, salt, parameters, 32))


def hash_from_text(text: str) -> Hash:
    """Return the hash that a text is, or raise ValueError: the end of a sentence."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"is no hash as txremote passwd writes it: {PREFIX}ln=...,r=...,p=...")
    parameters = Parameters(*map(int, found.group(1, 2, 3)))
    ln, r, p = parameters
    # n is less than 2 ** (128 * r / 8), says RFC 7914
    if not (ln and r and 1 <= p <= MOST_PASSES) or (r == 1 and ln > 15):
        raise ValueError("has parameters of scrypt's that make no sense")
    if ln > 30 or parameters.memory > MOST_MEMORY:
        raise ValueError(f"would take more than {MOST_MEMORY >> 20} MB to check")
    salt, digest = map(_decoded, found.group(4, 5))
    if not 16 <= len(digest) <= 64:
        raise ValueError("has a hash of a length that makes no sense")
    return Hash(parameters, salt, digest)


def _scrypt(password: bytes, salt: bytes, parameters: Parameters, length: int) -> bytes:
    ln, r, p = parameters
    memory = parameters.memory + (1 << 20)
    return hashlib.scrypt(password, salt=salt, n=1 << ln, r=r, p=p, maxmem=memory, dklen=length)


def _encoded(data: bytes) -> str:
    return b64encode(data).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ValueError("has a part that is no base64") from None
