"""Passwords as text: what is written is read again, and what would cost too much is refused."""

from __future__ import annotations

import hashlib

import pytest

from txremote.passwords.hashes import USUAL, Parameters, hash_from_text, hash_of

CHEAP = Parameters(4, 8, 1)


def test_a_password_and_no_other_matches_its_text() -> None:
    """Also with parameters that are not those of new passwords; each has a salt of its own."""
    made = hash_of(b"sesame", CHEAP)
    read = hash_from_text(str(made))
    assert read == made
    assert read.matches(b"sesame")
    assert not read.matches(b"Sesame")
    assert str(hash_of(b"sesame", CHEAP)) != str(made)


def test_the_text_is_the_one_that_other_programs_read() -> None:
    """The second of RFC 7914's vectors, N=1024, r=8, p=16, as passlib writes it."""
    text = (
        "$scrypt$ln=10,r=8,p=16$TmFDbA$"
        "/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA"
    )
    assert hash_from_text(text).matches(b"password")
    assert str(hash_from_text(text)) == text


def test_a_new_password_is_as_costly_as_is_advised() -> None:
    """By the text of the standard's authors: 32 MB, three times over."""
    made = hash_of(b"sesame")
    assert str(made).startswith("$scrypt$ln=15,r=8,p=3$")
    assert 32 << 20 <= USUAL.memory < 33 << 20
    by_hand = hashlib.scrypt(b"sesame", salt=made.salt, n=2**15, r=8, p=3, maxmem=1 << 26, dklen=32)
    assert made.digest == by_hand


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$scrypt$", "is no hash as txremote passwd writes it"),
        ("$scrypt$ln=4,r=8,p=1$c2FsdA$", "is no hash"),
        ("$scrypt$ln=0,r=8,p=1$c2FsdA$c2FsdA", "make no sense"),
        ("$scrypt$ln=4,r=8,p=17$c2FsdA$c2FsdA", "make no sense"),
        ("$scrypt$ln=16,r=1,p=1$c2FsdA$c2FsdHNhbHRzYWx0c2FsdA", "make no sense"),
        ("$scrypt$ln=20,r=8,p=1$c2FsdA$c2FsdA", "would take more than 128 MB to check"),
        ("$scrypt$ln=99,r=8,p=1$c2FsdA$c2FsdA", "would take more than 128 MB to check"),
        ("$scrypt$ln=4,r=8,p=1$c2FsdA$c2FsdA", "has a hash of a length"),
        ("$scrypt$ln=4,r=8,p=1$a$c2FsdA", "has a part that is no base64"),
    ],
)
def test_a_text_that_cannot_be_checked_is_refused(text: str, why: str) -> None:
    """Before anything is hashed: a line may be written by anybody."""
    with pytest.raises(ValueError, match=why):
        hash_from_text(text)
