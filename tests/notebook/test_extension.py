"""``%load_ext txremote`` in a real kernel: completion, ``?``, and leaving no trace."""

import pytest


@pytest.fixture
def cart(kernel):
    """A cart in a name; its names are known when this returns."""
    assert not kernel.run("cart = await conn.root.cart()").error
    # learned at the end of that cell; answered before this call is
    assert kernel.run("await conn.root.add(1)").plain == "3"
    return kernel


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("await cart.", ["list", "put"]),
        ("x = await cart.pu", ["put"]),
        ("first = 1\nawait conn.root.ad", ["add"]),
        ("cart.put(", ["gift=", "name="]),
        ("cart.put(con", ["conn"]),
    ],
)
def test_names_and_arguments_are_completed(cart, text, found):
    """Of an object that a cell has left in a name, and of the connection's root."""
    assert set(found) <= set(cart.complete(text))


def test_completion_of_a_reference_offers_the_remote_names_alone(cart):
    """And not those of its class, such as ``callRemote``."""
    names = cart.complete("cart.")
    assert {"list", "put"} <= set(names)
    assert "callRemote" not in names
    assert "callRemote" not in cart.complete("conn.root.")


def test_completion_of_all_else_is_ipython_s(cart):
    """Of local objects, also in the line of a remote one."""
    assert "append" in cart.complete("x = []\nx.app")
    assert "conn" in cart.complete("con")
    assert "closed" in cart.complete("conn.clo")


def test_help_shows_the_remote_signature_and_docstring(cart):
    """By Shift-Tab and by ``?``; nothing is called at the server."""
    told = cart.inspect("cart.put")
    assert "put(name: str, count: int = ..., *, gift: bool = ...) -> int" in told
    assert "Put an item in.\n\nMore about that." in told
    assert "add(a: int, b: int = ...) -> int  Add two numbers." in cart.inspect("conn.root")
    assert not cart.run("root = conn.root\nroot?").error
    assert cart.run("(await conn.root.figures())[2]").plain == "0"


def test_help_for_other_objects_is_ipython_s(cart):
    """The extension has no word on them."""
    assert "Return the number of items" in cart.inspect("len")


def test_it_can_be_loaded_twice_and_unloaded(cart):
    """Afterwards IPython is as it was."""
    assert not cart.run("%reload_ext txremote\n%load_ext txremote").error
    assert not cart.run("%unload_ext txremote").error
    try:
        assert "gift=" not in cart.complete("cart.put(")
        assert cart.run("[{'a': 1}]").results == [{"text/plain": "[{'a': 1}]"}]
        assert "UsageError" in cart.run("%connect localhost:1").text
        assert "callRemote" in cart.complete("cart.callR")
    finally:
        assert not cart.run("%load_ext txremote").error
    assert "text/html" in cart.run("[{'a': 1}]").results[0]
