"""
Places to listen: tried before anything is started, and given back.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.python.filepath import UnlistableError

from txremote.daemon.ports import error_text, in_words, port_of, why_not_free


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a socket that is served, one that is left over, a file and a closed folder."""
    made = tmp_path_factory.mktemp("f")
    with ExitStack() as stack:
        for name in ("served", "left"):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.bind(str(made / name))
            if name == "served":
                one.listen()
        (made / "file").write_text("")
        yield made


@pytest.mark.parametrize(
    ("description", "why"),
    [
        ("unix:FOLDER/served", "Address already in use: a server listens there"),
        ("unix:address=FOLDER/left", None),
        ("unix:FOLDER/new:mode=600", None),
        ("unix:FOLDER/file", "there is something that is no socket"),
        ("unix:FOLDER", "there is something that is no socket"),
        ("unix:FOLDER/none/x", "there is no folder FOLDER/none"),
        ("unix:FOLDER/file/x", "there is no folder FOLDER/file"),
        ("unix:FOLDER/" + "x" * 107, "a socket's path has at most 107 bytes"),
        ("unix:/proc/x", "nothing may be made in the folder /proc"),
        ("tcp:0", None),
        ("fd:5", None),
        ("systemd:domain=INET:index=0", None),
        ("tcp:18999:interface=192.0.2.1", "192.0.2.1 is no address of this machine"),
        ("tcp:18999:interface=999.1.1.1", "999.1.1.1 is no address of this machine"),
    ],
)
def test_what_cannot_be_had_is_told(folder: Path, description: str, why: str | None) -> None:
    """In words; and what is free, left over by the dead, or unknown is no problem."""
    if "/proc" in description and os.access("/proc", os.W_OK):
        pytest.skip("this user may write everywhere")
    before = sorted(folder.iterdir())
    expected = why and why.replace("FOLDER", str(folder))
    assert why_not_free(description.replace("FOLDER", str(folder))) == expected
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_port_is_tried_and_given_back(family: int, host: str) -> None:
    """With TLS and behind the PROXY protocol, too."""
    kind, interface = ("tcp", host) if family == socket.AF_INET else ("tcp6", r"\:\:1")
    with socket.socket(family) as taken:
        try:
            taken.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        taken.listen()
        port = taken.getsockname()[1]
        kinds = (kind, f"haproxy:{kind}", "ssl")
        names = [f"{each}:{port}:interface={interface}" for each in kinds]
        for name in names:
            told = why_not_free(name)
            assert told == "Address already in use. Choose another port, or stop what uses it"
    assert [why_not_free(name) for name in names] == [None] * 3
    assert why_not_free(names[0]) is None


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("tcp:401x", "'401x' is no number"),
        ("tcp", "it lacks its 'port'"),
        ("tcp:401:interfce=127.0.0.1", "there is no interfce= for it"),
        ("tcp:401:127.0.0.1:50:60:70", "it has too many parts"),
        ("tpc:x", "there is no kind 'tpc' of endpoints: did you mean tcp:x?"),
        ("tpc:401", "there is no kind 'tpc' of endpoints: did you mean tcp:401?"),
        ("unxi:a:mode=600", "there is no kind 'unxi' of endpoints: did you mean unix:a:mode=600?"),
        ("carrier:pigeon", "there is no kind 'carrier' of endpoints, but haproxy, "),
        ("127.0.0.1:4010", "did you mean tcp:4010:interface=127.0.0.1?"),
        ("4010", "did you mean tcp:4010:interface=127.0.0.1?"),
        ("ssl:401:privateKey=nosuch.pem", "No such file or directory: "),
    ],
)
def test_a_description_that_makes_no_sense(description: str, words: str) -> None:
    """Twisted's parsers raise what Python raises; that is put into words."""
    with pytest.raises(Exception) as failed:  # each parser has its own
        serverFromString(reactor, description)
    assert in_words(failed.value, description).startswith(words)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file", b"/x.pem"), "No such file: /x.pem"),
        (OSError(13, "Permission denied"), "Permission denied"),
        (UnlistableError(OSError(20, "Not a directory", "/x")), "Not a directory: /x"),
        (ValueError("as it is"), "as it is"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_told_in_words(error: Exception, words: str) -> None:
    """No bytes, no names of classes where there is more to say."""
    assert error_text(error) == words


def test_a_port_that_is_none() -> None:
    """It is told what one is."""
    with pytest.raises(ValueError, match="'401x' is no port: it is a number, 0 to 65535"):
        port_of("tcp:401x:interface=127.0.0.1")
    assert port_of("unix:x") is None
