"""
How a server is named: what is a name, what it means, and what is said of a text that is none.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.endpoints import _parse

from tests.examples import examples
from txremote.servername import (
    OTHER,
    ServerName,
    listening_description,
    meant,
    quoted,
    server_name,
    unknown_kind,
)


@pytest.mark.parametrize(
    ("text", "kind", "where", "options"),
    [
        ("localhost:18861", "tcp", ("localhost", 18861), {}),
        ("[::1]:18861", "tcp", ("::1", 18861), {}),
        (r"\:\:1:18861", "tcp", ("::1", 18861), {}),
        ("[fe80::1%eth0]:1", "tcp", ("fe80::1%eth0", 1), {}),
        ("tcp:localhost:18861", "tcp", ("localhost", 18861), {}),
        ("TCP:localhost:18861", "tcp", ("localhost", 18861), {}),
        ("tcp:[::1]:18861:timeout=3", "tcp", ("::1", 18861), {"timeout": "3"}),
        ("tcp:host=h:port=1:bindAddress=[::1]", "tcp", ("h", 1), {"bindAddress": "::1"}),
        ("tcp:port=1:h", "tcp", ("h", 1), {}),
        ("tls:example.org:443", "tls", ("example.org", 443), {}),
        (r"tls:h:1:ca=C\:/a\=b.pem", "tls", ("h", 1), {"ca": "C:/a=b.pem"}),
        ("ssl:h:1:hostname=x", "ssl", ("h", 1), {"hostname": "x"}),
        (r"unix:/run/a\=b", "unix", ("", 0), {}),
        ("unix:path=/run/x:timeout=3", "unix", ("", 0), {"timeout": "3"}),
        ("/run/a:b", "unix", ("", 0), {}),
        ("registry:shop:ca=ca.pem", "registry", ("", 0), {"ca": "ca.pem"}),
        (r"autobahn:tcp\:h\:1:url=ws", OTHER, ("", 0), {}),
    ],
)
def test_a_name_is_taken_apart(
    text: str, kind: str, where: tuple[str, int], options: dict[str, str]
) -> None:
    """Each kind, IPv6 in brackets, and options behind it."""
    found = server_name(text)
    assert (found.kind, (found.host, found.port), found.options) == (kind, where, options)
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ""),
        ("nonsense", ""),
        (":18861", ""),
        ("::1:18861", ""),
        ("host:0", "a port is a number from 1 to 65535"),
        ("host:65536", "a port is a number from 1 to 65535, not '65536'"),
        ("tcp:host:http", "a port is a number from 1 to 65535, not 'http'"),
        ("tcp:host", "it has no port"),
        ("tls::443", "it has no host"),
        ("unix:", "it has no path"),
        ("unix:/run/a=b", "unix: has no option '/run/a', but lockfile, path, timeout"),
        ("tcp:host:1:2", "'2' is too much"),
        ("tcp:host:1:timeout=soon", "timeout is a whole number of seconds"),
        ("tls:host:1:trustroots=x", "tls: has no option 'trustroots', but bindAddress, ca, "),
        ("host:1\\", "it ends in a backslash"),
        ("registry:", "it has no name"),
        ("registry:shop:18861", "'18861' is too much"),
    ],
)
def test_a_text_that_is_none_is_told_the_forms(text: str, why: str) -> None:
    """The sentence has the text, what is wrong with it where that is known, and what is right."""
    with pytest.raises(ValueError, match="names no server") as refused:
        server_name(text)
    sentence = str(refused.value)
    assert sentence.startswith(f"{text!r} names no server")
    assert why in sentence
    assert sentence.endswith(
        "it is HOST:PORT, [IPV6]:PORT, unix:PATH, tcp:HOST:PORT, tls:HOST:PORT or registry:NAME"
    )


texts = st.text(st.sampled_from("ab1/.:=\\[] "), min_size=1)


@settings(max_examples=examples(100), deadline=None)
@given(texts, st.integers(1, 65535), st.dictionaries(st.sampled_from(["ca", "key"]), texts))
def test_the_description_is_read_by_twisted_as_the_name_is_here(
    host: str, port: int, options: dict[str, str]
) -> None:
    """Whatever stands in a host or a file's name, and the text of a longer name too."""
    name = ServerName("h", "tls", host, port, options=options)
    assert _parse(name.description) == (["tls", host, str(port)], options)
    longer = server_name("tls:h:1").with_options(options)
    assert server_name(longer.text).options == longer.options == options


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(texts, min_size=2, max_size=4), st.dictionaries(texts, texts, max_size=2))
def test_no_text_makes_it_fail_otherwise_than_by_its_sentence(
    words: list[str], options: dict[str, str]
) -> None:
    """A text is a name, of some kind, or is refused."""
    pairs = [f"{quoted(name)}={quoted(text)}" for name, text in options.items()]
    for text in (":".join(words), ":".join(["tcp", *words, *pairs])):
        try:
            server_name(text)
        except ValueError as problem:
            assert "names no server" in str(problem)


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("localhost:0", "tcp:0:interface=localhost"),
        ("[::1]:18861", r"tcp:18861:interface=\:\:1"),
        ("/run/a:b", r"unix:/run/a\:b"),
        ("tcp:18861", "tcp:18861"),
        ("tcp:18861:interface=127.0.0.1", "tcp:18861:interface=127.0.0.1"),
        ("ssl:443", "ssl:443"),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
        ("haproxy:tcp:80", "haproxy:tcp:80"),
    ],
)
def test_a_server_says_its_place_in_the_same_way(text: str, description: str) -> None:
    """HOST:PORT and paths, and all that Twisted takes."""
    assert listening_description(text) == description


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("tpc:h:1:timeout=3", "did you mean tcp:h:1:timeout=3?"),
        ("TSL:h:1", "did you mean tls:h:1?"),
        ("regsitry:shop", "did you mean registry:shop?"),
        ("carrier:pigeon", ""),
    ],
)
def test_a_kind_that_was_mistyped_is_asked_after(text: str, question: str) -> None:
    assert meant(text, ("tcp", "tls", "registry", "unix")) == question
    assert question in str(unknown_kind(text))
