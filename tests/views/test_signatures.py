"""
Remote signatures, as `inspect`, ``help`` and IPython show them, and as a reactor asks for them.
"""

from __future__ import annotations

import inspect
import pydoc
from importlib.util import find_spec
from typing import Any

import pytest
from zope.interface import Interface, implementer

from tests.blocking.script_threads import linked, scripted
from tests.peer.pairs import pair_with_stock_server
from txremote import Service, expose, exposed, signature_remote, threaded, typed
from txremote.shell import Completer
from txremote.testing import connected_pair


class Secret:
    pass


class Desk(Service):
    exposed_motto = "at your service"

    @exposed
    def put(self, name: str, count: int = 1, *, at: Secret | None = None) -> list[int]:
        """Put a thing there."""
        return []

    @exposed
    def plain(self, a, b=open):  # type: ignore[no-untyped-def]
        pass

    @exposed
    @threaded
    def blocked(self, a: int) -> int:
        return a

    @staticmethod
    @exposed
    def fixed(a: int) -> int:
        return a

    exposed_builtin = len
    exposed_unknown = print if False else getattr

    @exposed
    def caller(self) -> Any:
        return Caller()

    @exposed
    def same(self, it: Any) -> Any:
        return it


class Caller:
    def __call__(self, word: str) -> int:
        return 1


class IShelf(Interface):
    def put(name: str, count: int = 1) -> bool:
        """Put it there."""


expose(IShelf)


@implementer(IShelf)
class Shelf(Service):
    def put(self, name: str, count: int = 1, internal: bool = False) -> bool:
        return internal


PUT = "(name: str, count: int = ..., *, at: Secret | None = ...) -> list[int]"


@scripted
def test_a_netref_s_methods_have_the_signatures_that_are_written() -> None:
    """With and without values; a default is the owner's affair."""
    with linked(Desk) as conn:
        for name, text in {
            "put": PUT,
            "plain": "(a, b=...)",
            "blocked": "(a: int) -> int",
            "fixed": "(a: int) -> int",
        }.items():
            assert str(inspect.signature(getattr(conn.root, name))) == text
        assert str(inspect.signature(conn.root.caller())) == "(word: str) -> int"
        assert conn.root.put.__doc__ == "Put a thing there."
        assert "(name: str, count: int = ...," in pydoc.render_doc(conn.root.put)


@scripted
def test_an_interface_s_method_has_the_interface_s_signature() -> None:
    with linked(Shelf) as conn:
        assert str(inspect.signature(conn.root.put)) == "(name: str, count: int = ...) -> bool"


@scripted
def test_a_view_s_methods_have_the_class_s() -> None:
    with linked(Desk) as conn:
        view: Any = __import__("txremote.blocking").blocking.typed(conn.root, Desk)
        assert str(inspect.signature(view.put)) == (
            "(name: str, count: int = 1, *, at: Secret | None = None) -> list[int]"
        )


@pytest.mark.skipif(find_spec("IPython") is None, reason="IPython is not installed")
@scripted
def test_ipython_shows_them() -> None:
    from IPython.core.oinspect import Inspector

    with linked(Desk) as conn:
        styled = "theme_name" in inspect.signature(Inspector).parameters  # IPython 9
        made: Any = Inspector
        inspector = made(theme_name="nocolor") if styled else made()
        told = inspector.info(conn.root.put, oname="put")
        assert told["definition"].replace("\n", "").replace("    ", "") in (
            f"put{PUT}",
            "put(name: str,count: int = ...,*,at: Secret | None = ...,) -> list[int]",
        )
        assert told["docstring"] == "Put a thing there."


@scripted
def test_the_shell_completes_the_names_of_arguments() -> None:
    with linked(Desk) as conn:
        complete = Completer({"root": conn.root}, lambda: "root.put('x', c").matches
        assert complete("c")[0] == "count="
        assert Completer({"root": conn.root}, lambda: "root.builtin(o").matches("o")


@pytest.mark.parametrize(("name", "text"), [("put", PUT), ("plain", "(a, b=...)")])
def test_a_reactor_asks_for_them(name: str, text: str) -> None:
    """By a path; also of the root that is not known yet."""
    pair = connected_pair(server_root=Desk, client_root=Desk)
    assert str(pair.result(signature_remote(getattr(pair.client.root, name)))) == text
    assert str(pair.result(signature_remote(getattr(pair.server.root, name)))) == text


def test_a_reactor_asks_for_that_of_an_object_that_is_called() -> None:
    pair = connected_pair(server_root=Desk)
    caller = pair.result(pair.client.root.caller())
    assert str(pair.result(signature_remote(caller))) == "(word: str) -> int"
    view: Any = typed(pair.client.root, Desk)
    with pytest.raises(ValueError, match="the peer tells no signature of '__call__'"):
        pair.result(signature_remote(view))


def test_what_has_none_says_so() -> None:
    pair = connected_pair(server_root=Desk)
    with pytest.raises(ValueError, match="the peer tells no signature of 'unknown'"):
        pair.result(signature_remote(pair.client.root.unknown))
    with pytest.raises(AttributeError, match="the object that has 'upper' came as a value"):
        pair.result(signature_remote(pair.client.root.motto.upper))
    with pytest.raises(TypeError, match="'int' is no remote reference"):
        signature_remote(3)  # type: ignore[arg-type]


def test_a_stock_peer_tells_none_and_the_sentence_says_what_to_do() -> None:
    pair = pair_with_stock_server(Desk)
    sentence = r"tells none; get_remote\(ref\.put, '__doc__'\) asks for its docstring"
    with pytest.raises(ValueError, match=sentence):
        pair.result(signature_remote(pair.client.root.put))
