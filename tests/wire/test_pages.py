"""Memory for long frames: one copy, which nobody changes, on every system."""

from __future__ import annotations

import pytest

from txremote.wire import pages
from txremote.wire.framing import LONG_FRAME, frame_chunks
from txremote.wire.pages import joined


def test_the_parts_are_copied_one_behind_the_other() -> None:
    memory = bytearray(b"x" * 3_000_000)
    found = joined([b"head", memoryview(memory), b"\n"], 3_000_005)
    memory[:] = bytes(3_000_000)
    assert bytes(found) == b"head" + b"x" * 3_000_000 + b"\n"
    assert memoryview(found).readonly


@pytest.mark.parametrize("name", ["_HUGE", "_FLAGS"])
def test_a_system_without_huge_pages_has_bytes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(pages, name, None)
    assert joined([b"a", memoryview(b"b")], 2) == b"ab"


def test_a_kernel_without_huge_pages_has_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    if pages._HUGE is None:
        pytest.skip("this system has no huge pages")
    monkeypatch.setattr(pages, "_HUGE", -1)
    assert joined([b"a", memoryview(b"b")], 2) == b"ab"


def test_frames_up_to_a_mebibyte_are_bytes() -> None:
    assert type(frame_chunks(b"h", [bytes(LONG_FRAME - 1)])) is bytes
    longer = frame_chunks(b"h", [bytes(LONG_FRAME)])
    assert bytes(longer) == b"\x00\x10\x00\x01\x00h" + bytes(LONG_FRAME) + b"\n"
