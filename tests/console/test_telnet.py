"""
A client's bytes arrive as lines, with any program to type them.
"""

import random

import pytest
from hypothesis import given, strategies as st

from txremote.console.telnet import Key, TelnetLines

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240

# What comes in, what comes out of it, and what is answered.
CASES = {
    "LF": (b"one\ntwo\n", ["one", "two"], b""),
    "CR LF": (b"one\r\ntwo\r\n", ["one", "two"], b""),
    "CR NUL": (b"one\r\0two\r\0", ["one", "two"], b""),
    "CR": (b"one\rtwo\r", ["one", "two"], b""),
    "all of them mixed": (b"a\r\nb\rc\nd\r\0\r\n\n\r", ["a", "b", "c", "d", "", "", ""], b""),
    "an empty line": (b"\r\n", [""], b""),
    "UTF-8": ("Grüße, 世界 🌍\r\n".encode(), ["Grüße, 世界 🌍"], b""),
    "no UTF-8": (b"a\xfe\x80b\xc3\n", ["a\ufffd\ufffdb\ufffd"], b""),
    "a literal 255": (b"a\xff\xffb\n", ["a\ufffdb"], b""),
    "Ctrl-C": (b"half a line\x03whole\n", [Key.INTERRUPT, "whole"], b""),
    "IP": (bytes((97, IAC, 244, 98, 10)), [Key.INTERRUPT, "b"], b""),
    "BREAK": (bytes((IAC, 243)), [Key.INTERRUPT], b""),
    "ABORT": (bytes((IAC, 238)), [Key.INTERRUPT], b""),
    "Ctrl-D at the beginning": (b"\x04", [Key.END], b""),
    "Ctrl-D in a line": (b"a\x04b\n", ["ab"], b""),
    "EOF": (bytes((IAC, 236)), [Key.END], b""),
    "arrow keys": (b"\x1b[Aa\x1b[1;5Cb\x1bOHc\x1bd\n", ["abc"], b""),
    "a title for a terminal": ("x\x1b]0;y\x07z\x9b2J\n".encode(), ["x0;yz2J"], b""),
    "a tab": (b"a\tb\n", ["a\tb"], b""),
    "AYT": (bytes((IAC, 246)), [], b"[yes]\r\n"),
    "NOP, DM, GA": (bytes((97, IAC, 241, 98, IAC, 242, 99, IAC, 249, 10)), ["abc"], b""),
    "an unknown command": (bytes((97, IAC, 7, 98, 10)), ["ab"], b""),
    "DO": (bytes((IAC, DO, 1)), [], bytes((IAC, WONT, 1))),
    "WILL": (bytes((IAC, WILL, 31)), [], bytes((IAC, DONT, 31))),
    "DO twice": (bytes((IAC, DO, 3)) * 2, [], bytes((IAC, WONT, 3))),
    "DONT and WONT": (bytes((IAC, DONT, 1, IAC, WONT, 3)), [], b""),
    "a timing mark each time": (bytes((IAC, DO, 6)) * 2, [], bytes((IAC, WILL, 6)) * 2),
    "within a line": (
        bytes((104, 101, IAC, WILL, 24, 108, 112, 13, 10)),
        ["help"],
        bytes((IAC, DONT, 24)),
    ),
    "a subnegotiation": (
        bytes((97, IAC, SB, 31, 0, 80, 0, 24, IAC, SE, 98, 10)),
        ["ab"],
        b"",
    ),
    "255 and line ends within one": (
        bytes((97, IAC, SB, 31, IAC, IAC, 10, 3, SE, IAC, SE, 98, 10)),
        ["ab"],
        b"",
    ),
    "a subnegotiation without end": (
        bytes((IAC, SB)) + bytes(4097) + b"a\n",
        ["a"],
        b"",
    ),
    "the longest line": (b"x" * 100 + b"\r\nb\n", ["x" * 100, "b"], b""),
    "a longer one": (b"x" * 101 + b"yz\r\nb\n", [Key.TOO_LONG, "b"], b""),
    "a longer one that is given up": (
        b"x" * 101 + b"\x03b\n",
        [Key.TOO_LONG, Key.INTERRUPT, "b"],
        b"",
    ),
    "an end in one that is too long": (b"x" * 101 + b"\x04\n", [Key.TOO_LONG], b""),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 10_000])
def test_lines_and_keys(name, size):
    """Whole, or cut into packets of a byte, two or three, it comes out the same."""
    data, events, answer = CASES[name]
    lines = TelnetLines(100)
    got, answered = [], b""
    for at in range(0, len(data), size):
        some, reply = lines.receive(data[at : at + size])
        got += some
        answered += reply
    assert (got, answered) == (events, answer)


def test_too_long_is_told_before_the_end_of_the_line():
    """
    A client that sends a megabyte without a newline hears of it at once, and only once;
    nothing of it is kept.
    """
    lines = TelnetLines(100)
    events = [event for _ in range(1000) for event in lines.receive(b"x" * 1024)[0]]
    assert events == [Key.TOO_LONG]
    assert lines.finish() == []
    assert lines.receive(b"\nhelp\n")[0] == ["help"]


def test_the_last_line_needs_no_end():
    """printf 'help' | nc is a command."""
    lines = TelnetLines(100)
    assert lines.receive(b"one\nhelp")[0] == ["one"]
    assert lines.finish() == ["help"]
    assert lines.finish() == []


def test_answers_are_bounded():
    """However often all options are asked for, each is refused once."""
    lines = TelnetLines(100)
    asked = b"".join(bytes((IAC, verb, code)) for verb in (DO, WILL) for code in range(255))
    total = sum(len(lines.receive(asked)[1]) for _ in range(10))
    assert total == 3 * 2 * 255 + 3 * 9  # the timing mark is answered each time


@given(st.binary(max_size=300), st.integers(0, 2**32))
def test_packets_make_no_difference(data, seed):
    """Any bytes, cut anywhere, give the same lines, keys and answers, and no exception."""
    whole = TelnetLines(50)
    events, answer = whole.receive(data)
    cuts = random.Random(seed)
    pieces = TelnetLines(50)
    got, answered, at = [], b"", 0
    while at < len(data):
        size = cuts.randint(1, 20)
        some, reply = pieces.receive(data[at : at + size])
        got += some
        answered += reply
        at += size
    assert (got, answered) == (events, answer)
    assert pieces.finish() == whole.finish()
