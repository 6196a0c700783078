"""
`restricted`: part of an object for a peer.
"""

from __future__ import annotations

from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import linked, scripted


class Account:
    def __init__(self) -> None:
        self.owner = "ann"
        self.balance = 5
        self._secret = "x"

    def deposit(self, amount: int) -> int:
        self.balance += amount
        return self.balance


class Bank(rpyc.Service):
    def __init__(self) -> None:
        self.account = Account()

    def exposed_account(self) -> Any:
        return rpyc.restricted(self.account, {"deposit", "balance"}, {"balance"})

    def exposed_read_only(self) -> Any:
        return rpyc.restricted(self.account, ["balance"], ())

    def exposed_same(self) -> Any:
        return rpyc.restricted(self.account, ["balance"])


@scripted
def test_a_peer_sees_the_names_that_are_shown_and_no_others() -> None:
    with linked(Bank) as conn:
        account = conn.root.account()
        assert account.balance == 5
        assert account.deposit(2) == 7
        for name in ("owner", "_secret", "__dict__"):
            with pytest.raises(AttributeError, match="does not show it"):
                getattr(account, name)
        assert not hasattr(account, "owner")


@scripted
def test_a_peer_may_set_what_it_is_said_to() -> None:
    """Without another switch: the view decides."""
    with linked(Bank) as conn:
        account = conn.root.account()
        account.balance = 100
        assert account.balance == 100
        with pytest.raises(AttributeError, match="does not allow it"):
            account.deposit = 5
        with pytest.raises(AttributeError):
            del account.balance
        with pytest.raises(AttributeError, match="does not allow it"):
            conn.root.read_only().balance = 1
        with pytest.raises(AttributeError, match="does not allow it"):
            conn.root.same().balance = 3
        assert account.balance == 100


def test_the_view_is_the_same_to_its_own_program() -> None:
    account = Account()
    view = rpyc.restricted(account, ["balance"], ["balance"])
    assert view.balance == 5
    view.balance = 6
    assert account.balance == 6
    with pytest.raises(AttributeError):
        _ = view.owner
    with pytest.raises(AttributeError):
        view.owner = "bob"
