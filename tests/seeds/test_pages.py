"""
The pages for those who come from RPyC: what they tell you to type is typed.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_twisted
from docutils import nodes

from tests.document_runner import Reader, doctree
from tests.interop.peer_processes import ROOT, TWISTD, Program, outcomes
from tests.processes import free_port, run
from tests.seeds import transcripts
from tests.seeds.test_part5 import wait_for_port
from tests.seeds.transcripts import IMPORTS, adapted

PART5 = ROOT / "docs" / "tutorial_part5.rst"
COMING = ROOT / "docs" / "coming_from_rpyc.rst"


def blocks(page: Path, kind: str) -> list[str]:
    """Return the code blocks of a page that are of a kind."""
    found = doctree(page).findall(nodes.literal_block)
    return [block.astext() + "\n" for block in found if kind in block["classes"]]


class TestPart5:
    """docs/tutorial_part5.rst."""

    @pytest.mark.parametrize("server", ["python", "twistd"])
    def test_what_is_typed_gives_what_the_page_says(self, server: str, tmp_path: Path) -> None:
        """From top to bottom, at one prompt, with either of the page's servers."""
        (monitor,) = blocks(PART5, "python")
        port = free_port()
        (tmp_path / "filemonitor.py").write_text(adapted(monitor, port=port))
        commands = [text.strip() for text in blocks(PART5, "console")]
        assert commands == [
            "$ twistd -n txremote --classic",
            "$ python filemonitor.py",
            "$ twistd -n txremote --service filemonitor.FileMonitorService "
            "--listen tcp:18871:interface=127.0.0.1",
        ]
        start = [*TWISTD, "-n", "--pidfile=", "txremote"]
        serve = [sys.executable, "filemonitor.py"]
        if server == "twistd":
            serve = [*start, "--service=filemonitor.FileMonitorService"]
            serve.append(f"--listen=tcp:{port}:interface=127.0.0.1")
        with ExitStack() as running:
            classic = Program([*start, "--classic", "--listen=tcp:0:interface=127.0.0.1"])
            running.callback(classic.kill)
            monitoring = Program(serve, cwd=tmp_path)
            running.callback(monitoring.kill)
            found = classic.wait_for(r"txremote serves on \S+:(\d+) ")
            wait_for_port(port, monitoring)
            session = "".join(blocks(PART5, "pycon"))
            typed = adapted(session, port=port, classic=int(found[0][1]))
            (tmp_path / "session.txt").write_text(typed)
            status, out, err = run(
                *(sys.executable, "-m", "tests.seeds.prompt", "session.txt"),
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                timeout=60,
            )
        assert outcomes(out) == {"0": ""}, out + err
        assert (status, err) == (0, "")

    def test_the_service_is_the_tutorial_s(self) -> None:
        """But for the import lines it is RPyC's text."""
        (ours,) = blocks(PART5, "python")
        text = transcripts.NEWER_SERVER
        for old, new in IMPORTS.items():
            text = text.replace(old, new)
        assert ours == text

    def test_the_sessions_are_the_tutorial_s(self) -> None:
        """
        Each line that RPyC's part 5 has one type is typed here, in that order, with the
        same spelling; there is more.
        """
        theirs = transcripts.NEWER_ASYNC + transcripts.NEWER_ERROR
        theirs += transcripts.NEWER_EVENTS + transcripts.REOPENED + transcripts.NEWER_POLLED
        ours = iter(typed_lines("".join(blocks(PART5, "pycon"))))
        for old, new in IMPORTS.items():
            theirs = theirs.replace(old, new)
        for line in typed_lines(theirs.replace("/tmp/", "")):
            if line != "f.close()":  # reopened just below
                assert line in ours


def typed_lines(text: str) -> list[str]:
    """Return what is typed, without comments and spaces."""
    lines = re.findall(r"^ *(?:>>>|\.\.\.) (.*)", text, re.MULTILINE)
    return [re.sub(r" *(#.*)?$", "", line).replace(" ", "") for line in lines]


class TestComing:
    """docs/coming_from_rpyc.rst."""

    @pytest_twisted.ensureDeferred
    async def test_the_steps_can_be_taken(self, tmp_path: Path) -> None:
        """The server, the clients and what they print."""
        reader = Reader(COMING, tmp_path)
        await reader.follow()
        assert reader.ran == 9
