"""
``python -m txremote.blocking.utils.stdio``: a service on the standard streams.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import DEADLINE, scripted
from txremote.blocking.utils import stdio

COMMAND = [sys.executable, "-m", "txremote.blocking.utils.stdio"]


@pytest.mark.parametrize("words", [[], ["one.A", "two.B"]])
def test_without_one_service_it_says_how_it_is_used(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert stdio.main(words) == 2
    assert "usage: stdio package.module.Service" in capsys.readouterr().err


def test_what_is_no_service_is_refused() -> None:
    with pytest.raises(TypeError, match="is no service"):
        stdio.main(["tests.blocking.hosted.not_a_service"])


@scripted
def test_it_serves_until_its_parent_hangs_up() -> None:
    conn = rpyc.connect_subproc([*COMMAND, "tests.blocking.hosted.Child"])
    assert conn.root.add(1, 2) == 3
    conn.close()
    assert conn.proc.wait(DEADLINE) == 0


@scripted
def test_what_the_service_prints_goes_to_standard_error(tmp_path: Path) -> None:
    """And its standard input is empty: both streams are the protocol's."""
    said = tmp_path / "said"
    command = " ".join([*COMMAND, "tests.blocking.hosted.Child", f"2>{said}"])
    conn = rpyc.connect_subproc(["sh", "-c", f"exec {command}"])
    assert conn.root.print("hello there") == ""
    conn.close()
    assert conn.proc.wait(DEADLINE) == 0
    assert said.read_text().splitlines() == ["hello there", "the parent has gone"]


@scripted
def test_classic_mode() -> None:
    conn = rpyc.classic.connect_subproc()
    assert conn.modules.sys.executable == sys.executable
    conn.close()
    assert conn.proc.wait(DEADLINE) == 0


def test_bytes_that_are_no_protocol_end_it() -> None:
    done = subprocess.run(
        [*COMMAND, "tests.blocking.hosted.Child"],
        input=b"GET / HTTP/1.0\r\n\r\n" * 100,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
