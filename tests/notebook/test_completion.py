"""Names of remote objects, and of arguments."""

import pytest
from IPython.core.completer import CompletionContext

from tests.notebook.lab import Lab, sent
from txremote.notebook.completion import RemoteMatcher
from txremote.notebook.known import Knowledge
from txremote.testing import connected_pair


class Asked:
    """A matcher over one connection, and the names in scope."""

    def __init__(self):
        self.pair = connected_pair(server_root=Lab)
        self.names = {"conn": self.pair.client, "root": self.pair.client.root, "number": 5}
        self.knowledge = Knowledge()
        self.matcher = RemoteMatcher(self.knowledge, lambda: self.names).matcher()

    def ask(self, text, before=""):
        full = before + text
        context = CompletionContext(text, full, len(text), full.count("\n"), None)
        result = self.matcher(context)
        return [each.text for each in result["completions"]], result

    def learn(self):
        self.knowledge.learn(self.names.values())
        self.pair.pump()


@pytest.fixture
def asked():
    return Asked()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("conn.root.ad", ["add"]),
        ("x = await root.car", ["cart", "cart_names"]),
        ("f(root.task_", ["task_service"]),
        ("[1, await root.pub", ["publish"]),
        ("root.add(", ["a=", "b="]),
        ("await conn.root.add(1, ", ["a=", "b="]),
        ("root.add(f(2), b=nu", []),
        ("root.add(f(2), nu", ["number"]),
        ("root.add(f(2), b", ["b=", "bin", "bool", "breakpoint", "bytearray", "bytes"]),
        ("root.add(a=root.ad", ["add"]),
        ("root.add(1).", []),
        ("root.add(x.", []),
        ("root.add(1)", []),
        ("root.zzz", []),
        ("root.cart.pu", []),
        ("number.re", []),
        ("conn.ro", []),
        ("'root.ad", ["add"]),
        ("nothing.a", []),
        ("", []),
    ],
)
def test_names_after_a_dot_and_arguments_in_a_call(asked, text, found):
    """Those of references only; nothing is sent for any of them."""
    asked.learn()
    assert asked.ask(text)[0] == found
    assert not asked.pair.client.transport.written


def test_names_of_references_are_given_alone(asked):
    """Python's own, such as ``callRemote``, would hide them."""
    asked.learn()
    found, result = asked.ask("conn.root.", before="first = 1\n")
    assert {"add", "cart", "items"} <= set(found)
    assert result["suppress"] is True
    kinds = {each.text: each.type for each in result["completions"]}
    assert kinds["add"] == "function"


def test_what_is_not_known_is_asked_for_and_there_at_the_next_key(asked):
    """The key itself waits for nothing."""
    assert asked.ask("root.ad")[0] == []
    assert sent(asked.pair) == 2
    asked.ask("root.add")
    assert sent(asked.pair) == 2
    asked.pair.pump()
    assert asked.ask("root.ad")[0] == ["add"]


def test_a_line_of_any_length_is_answered_at_once(asked):
    """The end of it is looked at; no pattern runs away."""
    asked.learn()
    for text in ("(" * 100_000, "a" * 100_000, "a." * 50_000, "f(a" * 30_000, "a[0]" * 30_000):
        asked.ask(text)
    assert asked.ask("x + " * 10_000 + "root.ad")[0] == ["add"]
