"""Printing where the reader has gone, or the disk is full."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import pytest

from txremote.printing import (
    DONE,
    FAILED,
    INTERRUPTED,
    NOT_MADE,
    NotPrinted,
    complain,
    print_nothing_more,
    put,
    put_lines,
)


def test_a_text_is_printed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    put("a")
    put_lines(["b", "c"])
    put_lines(["d"], sys.stderr)
    assert capsys.readouterr() == ("ab\nc\n", "d\n")


def test_closed_output_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    put("a")
    print_nothing_more()


@pytest.mark.parametrize("full", [False, True])
def test_what_is_not_taken_is_told_once_and_then_dropped(
    full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if full:
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reading, descriptor = os.pipe()
        os.close(reading)
    with os.fdopen(descriptor, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        for text in ("a", ""):  # what is left of it is tried again
            with pytest.raises(NotPrinted, match="cannot print what has come") as problem:
                put(text)
            assert problem.value.seen_enough is not full
        print_nothing_more()
        put("b")


def test_output_without_a_descriptor_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> Any:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    print_nothing_more()


def test_each_way_to_end_has_a_status_of_its_own() -> None:
    """A shell's script tells them apart."""
    assert (DONE, FAILED, NOT_MADE, INTERRUPTED) == (0, 1, 2, 130)


def test_a_complaint_is_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Results alone are on standard output."""
    complain("there is no such task")
    assert capsys.readouterr() == ("", "txremote: there is no such task\n")


def test_a_complaint_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A server, or who has taken its port, may have said it."""
    complain("refused: \x1b]0;title\x07\x9b2J\r\u202e\nsee there")
    assert capsys.readouterr().err == "txremote: refused:  ]0;title  2J  \nsee there\n"
