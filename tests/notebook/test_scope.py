"""Expressions before the cursor are followed, and nobody's code is run."""

import pytest

from tests.notebook.lab import Lab
from txremote import RemotePath
from txremote.notebook.scope import reached
from txremote.testing import connected_pair


class Plain:
    pass


class Watched:
    """Anything that is run here fails the test."""

    value = 5

    @property
    def now(self):
        raise AssertionError("a property ran")


class Guarded:
    def __getattribute__(self, name):
        raise AssertionError("an object was asked")


@pytest.fixture
def names():
    pair = connected_pair(server_root=Lab)
    plain = Plain()
    plain.conn = pair.client
    things = {"conn": pair.client, "plain": plain, "rows": [pair.client.root, {"a": plain}]}
    return {**things, "watched": Watched(), "guarded": Guarded(), "number": 5}


@pytest.mark.parametrize(
    "expression", ["conn.root", "plain.conn.root", "rows[0]", 'rows[1]["a"].conn.root', "rows[-2]"]
)
def test_attributes_and_constant_keys_are_followed(names, expression):
    """Through plain objects and containers."""
    assert reached(expression, names) is names["conn"].root


def test_an_attribute_of_a_reference_is_a_path_and_sends_nothing(names):
    """However long it is."""
    found = reached("conn.root.a.b", names)
    assert isinstance(found, RemotePath)
    assert not names["conn"].transport.written


@pytest.mark.parametrize(
    "expression",
    [
        *("nothing", "watched.now", "guarded.x", "number.real", "conn.closed", "rows[9:]", "f()"),
        *("rows[number]", "conn.root._private", "number[0]", "a b", "", "rows['a']", "(" * 9999),
        *("watched.value", "rows[0][0]", "conn.root + 1"),
    ],
)
def test_all_else_ends_the_way(names, expression):
    """Properties, calls, operators, and what is not there."""
    with pytest.raises((LookupError, TypeError)):
        reached(expression, names)
