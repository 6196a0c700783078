"""The answers of ``?`` about remote objects."""

import re

import pytest
from IPython import version_info
from IPython.core.oinspect import Inspector

from tests.notebook.lab import Lab
from txremote.notebook.inspection import RemoteInspector
from txremote.notebook.known import Knowledge
from txremote.testing import connected_pair


@pytest.fixture
def pair():
    return connected_pair(server_root=Lab)


@pytest.fixture
def told(pair):
    """A function that gives what ``?`` shows, of a knowledge that has the root."""
    knowledge = Knowledge()
    inspector = Inspector(theme_name="nocolor") if version_info >= (9,) else Inspector()
    inspector.info = RemoteInspector(knowledge, inspector.info).info

    def tell(found, name):
        shown = inspector._get_info(found, name)["text/plain"]
        return re.sub(r"\x1b\[[\d;]*m", "", shown)

    tell.knowledge = knowledge
    return tell


def test_a_method_shows_its_remote_signature_and_docstring(pair, told):
    """And nothing is sent: IPython alone would call ``getdoc()`` at the peer."""
    told.knowledge.ask(pair.client)
    pair.pump()
    shown = told(pair.client.root.add, "conn.root.add")
    assert "add(a: int, b: int = ...) -> int" in shown
    assert "Add two numbers." in shown
    shown = told(pair.client.root, "conn.root")
    assert "add(a: int, b: int = ...) -> int  Add two numbers." in shown
    assert "It is no method" in told(pair.client.root.nothing, "conn.root.nothing")
    assert not pair.client.transport.written


def test_what_is_not_known_is_asked_for(pair, told):
    """The first ``?`` says so, and the next one has it."""
    assert "Nothing is known of it yet" in told(pair.client.root.add, "conn.root.add")
    pair.pump()
    assert "Add two numbers." in told(pair.client.root.add, "conn.root.add")
    assert "Nothing is known of it yet" in told(pair.client.root.a.b, "conn.root.a.b")
    assert not pair.client.transport.written


def test_all_other_objects_are_ipython_s(told):
    """Their facts are as ever."""
    assert "Initialize self" not in told(len, "len")
    assert "number of items" in told(len, "len")
