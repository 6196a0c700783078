"""Descriptions of remote objects, which are looked at without a request."""

import gc

import pytest

from tests.notebook.lab import Cart, Lab, sent
from txremote import ConnectionConfig
from txremote.notebook.known import (
    LONGEST_DOC,
    MOST_ASKED,
    MOST_NAMES,
    Description,
    Knowledge,
    current_reference,
    described,
    overview,
)
from txremote.testing import connected_pair


@pytest.fixture
def pair():
    return connected_pair(server_root=Lab)


def test_names_signatures_and_docstrings_are_asked_for_once(pair):
    """Two requests; after the answer there are no more."""
    knowledge = Knowledge()
    root = pair.client.root
    assert knowledge.of(root) is None
    done = []
    knowledge.ask(root).addCallback(done.append)
    knowledge.ask(pair.client).addCallback(done.append)
    assert sent(pair) == 2
    pair.pump()
    assert done == [None, None]
    known = knowledge.of(root)
    assert {"add", "cart", "forever"} <= set(known.names)
    assert str(known.methods["add"].signature) == "(a: int, b: int = ...) -> int"
    assert knowledge.method(root.add).summary == "Add two numbers."
    assert ("add(a: int, b: int = ...) -> int", "Add two numbers.") in overview(known)
    knowledge.ask(root).addCallback(done.append)
    assert (sent(pair), len(done)) == (0, 3)


def test_a_stock_server_tells_names_and_docstrings(pair):
    """RPyC has INSPECT, and no signatures."""
    pair.client.features = frozenset()
    knowledge = Knowledge()
    knowledge.ask(pair.client.root)
    pair.pump()
    method = knowledge.of(pair.client.root).methods["add"]
    assert (method.doc, method.signature) == ("Add two numbers.", None)
    assert ("add(...)", "Add two numbers.") in overview(knowledge.of(pair.client.root))


def test_nothing_is_known_of_what_is_no_reference(pair):
    """A value, a path to something deeper, a client that is not connected."""
    knowledge = Knowledge()
    for each in (5, pair.client.root.cart, None):
        assert current_reference(each) is None
        assert knowledge.of(each) is None
        knowledge.ask(each)
    assert sent(pair) == 0
    assert knowledge.method(pair.client.root.cart.put) is None


def test_a_lost_connection_ends_the_asking(pair):
    """Those who wait go on, and nothing is asked again."""
    knowledge = Knowledge()
    done = []
    knowledge.ask(pair.client.root).addCallback(done.append)
    pair.lose()
    assert done == [None]
    assert knowledge.of(pair.client.root) == Description()
    knowledge.ask(pair.result(connected_pair(server_root=Lab).client.fetch_root()))


def test_a_closed_connection_is_not_asked(pair):
    """It would raise; there is no answer."""
    pair.lose()
    done = []
    Knowledge().ask(pair.client.root).addCallback(done.append)
    assert done == [None]


def test_the_end_of_a_cell_asks_about_a_bounded_number(pair):
    """However many references there are, and about each of them once."""
    knowledge = Knowledge()
    carts = [pair.result(pair.client.root.cart()) for _ in range(MOST_ASKED + 20)]
    knowledge.learn([5, carts, *carts])
    assert sent(pair) == 2 * MOST_ASKED
    pair.pump()
    knowledge.learn(carts[:10])
    assert sent(pair) == 0


def test_nothing_is_kept_of_a_reference_that_is_gone(pair):
    """The reference is released as ever."""
    knowledge = Knowledge()
    cart = pair.result(pair.client.root.cart())
    knowledge.ask(cart)
    pair.pump()
    del cart
    gc.collect()
    assert len(knowledge._known) == 0


def test_an_answer_of_a_hostile_peer_is_bounded_and_checked():
    """All that is no name, no text or too much is dropped."""
    methods = tuple([(f"m{n}", "x" * 5000, "(a)", None) for n in range(5 * MOST_NAMES)])
    found = described(tuple([f"n{n}" for n in range(10**5)]), methods)
    assert len(found.names) == MOST_NAMES
    assert len(found.methods) == MOST_NAMES
    assert {len(each.doc) for each in found.methods.values()} == {LONGEST_DOC}
    odd = (5, (), ("a",), (1, 2), ("b c", ""), ("_p", ""), ("x" * 999, ""), ("ok", 5, 7))
    assert described((1, "a b", "_x", "ünï", "y" * 999), odd).names == ("ok", "ünï")
    for nothing in (None, "names", 5, [("a", "b")]):
        assert described(nothing, nothing) == Description()


def test_docstrings_are_shown_without_control_characters():
    """A terminal would obey them."""
    assert described((), (("m", "\x1b[2J"),)).methods["m"].doc == "\\x1b[2J"


def test_prefixed_names_are_those_that_are_called():
    """``exposed_add`` is ``add``."""
    found = described(("exposed_add", "add"), (("exposed_add", "Add.", "(a, b)"),))
    assert found.names == ("add",)
    assert str(found.methods["add"].signature) == "(a, b)"


def test_a_cart_is_described_for_a_client_that_may_read_names():
    """The switches of the server decide, as for any call."""
    config = ConnectionConfig(allow_public_attrs=True)
    pair = connected_pair(server_root=Cart, server_config=config)
    knowledge = Knowledge()
    knowledge.ask(pair.client)
    pair.pump()
    assert {"put", "list", "items"} <= set(knowledge.of(pair.client).names)
