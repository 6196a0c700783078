"""
The operations on a remote object that have no awaitable syntax.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.peer.pairs import Wire
from tests.refs.test_reference import Tree
from txremote import (
    RemoteReference,
    del_remote,
    dir_remote,
    get_remote,
    len_remote,
    repr_remote,
    set_remote,
    str_remote,
)
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_DELATTR, HANDLE_GETATTR, HANDLE_SETATTR


@pytest.fixture
def pair() -> Pair:
    return connected_pair(server_root=Tree)


def test_get_remote_reads_any_name_also_of_a_path(pair: Pair) -> None:
    root = pair.client.root
    assert pair.result(get_remote(root, "pi")) == 3.14
    assert pair.result(get_remote(root.branch, "name")) == "oak"
    numbers = pair.result(root.numbers())
    assert type(pair.result(get_remote(numbers, "__len__"))) is RemoteReference


def test_get_remote_of_a_path_that_leads_to_a_plain_value_is_answered_here(pair: Pair) -> None:
    assert pair.result(len_remote(pair.client.root.branch.name)) == 3
    assert pair.result(repr_remote(pair.client.root.branch.name)) == "'oak'"
    assert pair.result(str_remote(pair.client.root.pi)) == "3.14"
    assert pair.result(get_remote(pair.client.root.pi, "real")) == 3.14
    assert "upper" in pair.result(dir_remote(pair.client.root.branch.name))


def test_set_and_del_remote_need_to_be_allowed() -> None:
    pair = connected_pair(server_root=Tree)
    leaf = pair.result(get_remote(pair.client.root.branch, "leaf"))
    with pytest.raises(AttributeError, match="allow_setattr"):
        pair.result(set_remote(leaf, "value", 8))
    with pytest.raises(AttributeError, match="allow_delattr"):
        pair.result(del_remote(leaf, "value"))


def test_set_and_del_remote() -> None:
    pair = connected_pair(
        server_root=Tree, server_config={"allow_setattr": True, "allow_delattr": True}
    )
    leaf = pair.result(get_remote(pair.client.root.branch, "leaf"))
    wire = Wire(pair.client)
    assert pair.result(set_remote(leaf, "value", 8)) is None
    assert pair.result(get_remote(leaf, "value")) == 8
    assert pair.result(del_remote(leaf, "value")) is None
    with pytest.raises(AttributeError):
        pair.result(get_remote(leaf, "value"))
    expected = [HANDLE_SETATTR, HANDLE_GETATTR, HANDLE_DELATTR, HANDLE_GETATTR]
    assert wire.requests == expected


def test_a_services_attributes_are_its_own_even_then() -> None:
    pair = connected_pair(server_root=Tree, server_config={"allow_setattr": True})
    with pytest.raises(AttributeError, match="its own"):
        pair.result(set_remote(pair.client.root, "pi", 3))


def test_repr_str_dir_and_len_remote(pair: Pair) -> None:
    numbers = pair.result(pair.client.root.numbers())
    assert pair.result(repr_remote(numbers)) == "[0, 1, 2, 3, 4]"
    assert pair.result(str_remote(numbers)) == "[0, 1, 2, 3, 4]"
    assert pair.result(len_remote(numbers)) == 5
    names = pair.result(dir_remote(numbers))
    assert {"append", "pop", "__len__"} <= set(names)
    root_names = set(pair.result(dir_remote(pair.client.root)))
    assert {"add", "pi", "branch", "exposed_branch"} <= root_names
    assert "calls" not in root_names


@pytest.mark.parametrize("function", [repr_remote, str_remote, dir_remote, len_remote])
def test_the_functions_take_nothing_but_references(function: Any) -> None:
    with pytest.raises(TypeError, match="no remote reference"):
        function("a str")
