"""Which errors of a login end the trying. Real logins are in tests/net/test_client_login."""

from __future__ import annotations

import pytest
from twisted.cred import error as cred

from txremote import GenericException
from txremote.eventloop.login_refusals import check_answer, in_words, refused_login


class Denied(cred.LoginDenied):
    """Of a server's own."""


@pytest.mark.parametrize(
    "error",
    [cred.UnauthorizedLogin("no"), Denied("no"), PermissionError("no")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_a_refusal_by_its_name_or_that_of_a_base(error: Exception) -> None:
    refused = refused_login(error, "ann")
    assert isinstance(refused, cred.UnauthorizedLogin)
    assert str(refused) == f"the login of 'ann' was refused: {type(error).__name__}: no"


def test_a_class_that_is_not_known_here_has_its_name_alone() -> None:
    kind = type("their.module.LoginFailed", (GenericException,), {})
    assert isinstance(refused_login(kind("no"), "ann"), cred.UnauthorizedLogin)


@pytest.mark.parametrize("error", [OSError("the disk is full"), EOFError(), KeyError("ann")])
def test_any_other_error_is_none(error: Exception) -> None:
    assert refused_login(error, "ann") is error


def test_the_answer_false_is_a_refusal_and_none_is_not() -> None:
    with pytest.raises(cred.UnauthorizedLogin, match="it returned False"):
        check_answer(False, "ann")
    for answer in (None, True, 0, ""):
        check_answer(answer, "ann")


def test_an_error_is_told_in_a_line() -> None:
    assert in_words(OSError("one\ntwo")) == "OSError: one"
    assert in_words(EOFError()) == "EOFError"
    assert in_words(type("a.b.C", (GenericException,), {})("no")) == "C: no"
