"""The program of a limited source's process, without the walls around it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from txremote.work.limited import inside
from txremote.work.limited.inside import Pipe, run
from txremote.work.limited.messages import (
    DONE,
    FAILED,
    LIMIT,
    PRINTED,
    REFUSED,
    MessageReader,
    frame,
    pack,
    unpack,
)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A pipe whose other ends are the test's: `answer` writes, `sent` reads."""
    requests, answer = os.pipe()
    sent, answers = os.pipe()
    monkeypatch.setattr(inside, "_REQUESTS", requests)
    monkeypatch.setattr(inside, "_ANSWERS", answers)
    made: Any = Pipe()
    reader = MessageReader(10**6)

    def messages() -> list[tuple[object, ...]]:
        reader.feed(os.read(sent, 10**5))
        found = []
        while (message := reader.next()) is not None:
            found.append(message)
        return found

    made.answer = lambda *message: os.write(answer, frame(*message))
    made.messages = messages
    yield made
    for each in (requests, answer, sent, answers):
        os.close(each)


AN_INT = "an int of 16610 bits: more decimal digits than sys.get_int_max_str_digits() allows"


@pytest.mark.parametrize(
    ("source", "ending"),
    [
        ("1 + x", (DONE, 3)),
        ("  _return(1)\n  _return(2)", (DONE, pack([1, 2], "it"))),
        ("raise MemoryError", (LIMIT, "memory")),
        ("def f(): f()\nf()", (LIMIT, "recursion")),
        ("1 / 0", (FAILED, "ZeroDivisionError", "division by zero", 1)),
        ("raise ValueError('\\udc80')", (FAILED, "ValueError", "?", 1)),
        ("raise ValueError(10 ** 5000)", (FAILED, "ValueError", "it cannot be shown", 1)),
        (
            "x = []\nfor i in range(5000): x = [x]\nraise KeyError(x)",
            (FAILED, "KeyError", "it cannot be shown", 3),
        ),
        ("open", (REFUSED, "line 1: a limited source has no open", 1)),
        ("10 ** 5000", (FAILED, "NotSendable", AN_INT, 0)),
        ("y", (FAILED, "NameError", "name 'y' is not defined", 1)),
    ],
)
def test_each_source_has_one_end(pipe: Any, source: str, ending: object) -> None:
    """As a message that the program understands."""
    assert run(pipe, source, {"x": 2}) == ending


def test_text_is_gathered_and_sent_before_all_else(pipe: Any) -> None:
    """In messages of a bounded size; what UTF-8 has not is replaced."""
    run(pipe, "print('a', 1, sep='-')\nprint('\\udc80', end='')", {})
    pipe.send(DONE, None)
    assert pipe.messages() == [(PRINTED, "a-1\n?"), (DONE, None)]
    run(pipe, "print('x' * 10000)", {})
    texts = [str(text) for _name, text in pipe.messages()]
    assert "".join(texts) == "x" * 10_000 + "\n"
    assert max(map(len, texts)) == 4096


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (("answer", pack([1], "it")), [1]),
        (("error", "ValueError", "no"), "ValueError: no"),
        (("error", "SystemExit", "no"), "RuntimeError: no"),
        (("error", "Mine", "Mine: no"), "RuntimeError: Mine: no"),
    ],
)
def test_a_call_waits_for_its_answer(pipe: Any, answer: tuple[object, ...], result: object) -> None:
    """Errors are raised as the few classes that a source may know."""
    pipe.answer(*answer)
    try:
        found = pipe.remote("f")(1, two=[2])
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    assert found == result
    ((name, function, args, kwargs),) = pipe.messages()
    assert (name, function) == ("call", "f")
    assert (unpack(args), unpack(kwargs)) == ((1,), {"two": [2]})


CONFINED = """
import resource, sys
from txremote.work.limited.inside import confine
confine(4 * 1024 ** 3, 7)
names = ("AS", "CPU", "FSIZE", "CORE", "NPROC", "NOFILE")
sys.stdout.write(repr([resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names]))
"""


def test_a_process_gives_up_what_it_may() -> None:
    """For ever: the hard limits too."""
    done = subprocess.run(
        [sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True, timeout=60
    )
    space = (4 * 1024**3, 4 * 1024**3)
    assert done.stdout == repr([space, (8, 9), (0, 0), (0, 0), (0, 0), (3, 3)])
