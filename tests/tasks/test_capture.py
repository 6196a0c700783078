"""
The prints of commands go to their task's output, each to its own, and no other.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import pytest

from txremote.tasks.capture import (
    LONGEST_LINE,
    MOST_AT_ONCE,
    MOST_LINES_AT_ONCE,
    LineWriter,
    Redirection,
    redirect_prints,
    shortened,
    sink,
)


@contextmanager
def printing_to(stream: io.StringIO) -> Iterator[None]:
    """Have that stream in the place of sys.stdout."""
    before, sys.stdout = sys.stdout, stream
    try:
        yield
    finally:
        sys.stdout = before


def writer_into(lines: list[str]) -> LineWriter:
    """Return an active writer whose lines go there."""
    writer = LineWriter(lines.append)
    writer.active = True
    return writer


def test_prints_become_lines() -> None:
    """Whole lines as they are printed; the one that was begun at the end."""
    lines: list[str] = []
    writer = LineWriter(lines.append)
    print("one", 1, file=writer)
    print("tw", end="", file=writer)
    assert lines == ["one 1"]
    print("o\nthree\n\nfo", end="", file=writer)
    writer.writelines(["u", "r"])
    writer.flush()
    assert lines == ["one 1", "two", "three", ""]
    writer.finish()
    writer.finish()
    assert lines[4:] == ["four"]


def test_a_line_without_end_does_not_grow() -> None:
    """Text without an end of line comes in pieces."""
    lines: list[str] = []
    writer = LineWriter(lines.append)
    writer.write("x" * (2 * LONGEST_LINE + 5))
    writer.finish()
    assert [len(line) for line in lines] == [LONGEST_LINE, LONGEST_LINE, 5]


def told(count: int) -> str:
    """The sentence about what is left out."""
    return f" ... {count} characters that were put out at once are left out"


class Uncopied(str):
    """A text that counts how much is taken out of it."""

    taken = 0

    def __getitem__(self, key: Any) -> str:
        found = super().__getitem__(key)
        self.taken += len(found)
        return found


def test_of_a_huge_text_the_beginning_is_taken_and_the_rest_is_told() -> None:
    """The work does not grow with what is left out."""
    lines: list[str] = []
    writer = LineWriter(lines.append)
    text = Uncopied("x" * (50 * MOST_AT_ONCE))
    writer.write(text)
    writer.write("\nand on\n")
    assert text.taken == MOST_AT_ONCE
    assert max(map(len, lines)) <= LONGEST_LINE + 100
    shown = "".join(lines)
    assert shown.count("x") == MOST_AT_ONCE
    assert lines[-2].endswith(
        f" ... {49 * MOST_AT_ONCE} characters that were put out at once are left out"
    )
    assert lines[-1] == "and on"


def test_of_very_many_lines_the_first_are_taken() -> None:
    lines: list[str] = []
    writer = LineWriter(lines.append)
    print("a\n" * (3 * MOST_LINES_AT_ONCE), file=writer)
    assert lines[:-1] == ["a"] * MOST_LINES_AT_ONCE
    assert (
        lines[-1]
        == f" ... {4 * MOST_LINES_AT_ONCE} characters that were put out at once are left out"
    )
    writer.write("b\n" * MOST_LINES_AT_ONCE)
    assert lines[-MOST_LINES_AT_ONCE:] == ["b"] * MOST_LINES_AT_ONCE


def test_a_value_that_is_put_out_is_shortened() -> None:
    assert shortened("x" * MOST_AT_ONCE) == "x" * MOST_AT_ONCE
    assert shortened("x" * MOST_AT_ONCE + "yy").endswith(
        "x ... 2 characters that were put out at once are left out"
    )


def test_a_writer_is_a_text_stream() -> None:
    """It takes text only, and is no terminal."""
    writer = LineWriter(print)
    with pytest.raises(TypeError, match="must be str, not bytes"):
        writer.write(b"x")  # type: ignore[arg-type]
    assert writer.writable() and not writer.isatty()


def test_only_the_context_of_a_task_is_redirected() -> None:
    """A task's prints go to it; at the same time the program's go where they went."""
    original = io.StringIO()
    ann, bob = [], []
    with printing_to(original):
        redirection = redirect_prints()
        contexts = copy_context(), copy_context()
        for context, lines in zip(contexts, (ann, bob), strict=True):
            context.run(sink.set, writer_into(lines))
        for word in ("1", "2"):
            contexts[0].run(print, "ann", word)
            print("program", word)
            contexts[1].run(print, "bob", word)
        redirection.release()
        assert sys.stdout is original
    assert (ann, bob) == (["ann 1", "ann 2"], ["bob 1", "bob 2"])
    assert original.getvalue() == "program 1\nprogram 2\n"


def test_threads_have_contexts_of_their_own() -> None:
    """Many threads print at once, and no line goes astray."""
    original = io.StringIO()
    found: dict[int, list[str]] = {number: [] for number in range(8)}
    start = threading.Barrier(8)

    def run(number: int) -> None:
        sink.set(writer_into(found[number]))
        start.wait(10)
        for word in range(200):
            print(number, word)

    with printing_to(original):
        redirection = redirect_prints()
        threads = [threading.Thread(target=run, args=(number,)) for number in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        redirection.release()
    assert found == {n: [f"{n} {word}" for word in range(200)] for n in range(8)}
    assert original.getvalue() == ""


def test_a_context_that_outlives_its_task_prints_as_the_program() -> None:
    """A timer that was set within a command's step is no part of the command."""
    original = io.StringIO()
    lines: list[str] = []
    with printing_to(original):
        redirection = redirect_prints()
        context = copy_context()
        writer = writer_into(lines)
        context.run(sink.set, writer)
        context.run(print, "within")
        writer.active = False
        context.run(print, "later")
        redirection.release()
    assert lines == ["within"]
    assert original.getvalue() == "later\n"


def test_the_stand_in_is_shared_and_goes_with_its_last_user() -> None:
    """It is put in place once, and the original comes back."""
    original = io.StringIO()
    with printing_to(original):
        first, second = redirect_prints(), redirect_prints()
        assert first is second is sys.stdout
        first.release()
        assert isinstance(sys.stdout, Redirection)
        second.release()
        assert sys.stdout is original


def test_what_others_put_in_its_place_is_left_alone() -> None:
    """A program that redirects its output meanwhile keeps what it has set."""
    original, other = io.StringIO(), io.StringIO()
    with printing_to(original):
        redirection = redirect_prints()
        sys.stdout = other
        redirection.release()
        assert sys.stdout is other
        again = redirect_prints()
        print("seen")
        again.release()
    assert other.getvalue() == "seen\n"


def test_the_rest_of_a_stream_is_the_original_s() -> None:
    """Attributes of the standard output are still there: of the task, within one."""
    original = io.StringIO()
    with printing_to(original):
        redirection = redirect_prints()
        sys.stdout.write("x")
        assert sys.stdout.getvalue() == "x"  # type: ignore[attr-defined]
        context = copy_context()
        context.run(sink.set, writer_into([]))
        assert context.run(sys.stdout.isatty) is False
        redirection.release()
