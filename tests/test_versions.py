"""The line of versions, where it is printed."""

import platform

import pytest

import twisted
from tests.processes import run, script
from txremote import __version__
from txremote.versions import code_text


@pytest.mark.parametrize("words", [["txremote"], ["twistd", "txremote"]], ids=" ".join)
def test_a_command_tells_the_versions_that_a_report_of_a_bug_needs(words):
    """And does nothing else: twistd starts no server."""
    status, out, err = run(script(words[0]), *words[1:], "--version")
    assert (status, err) == (0, "")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    assert (
        out == f"txremote {__version__} (Twisted {twisted.__version__}, {python}, {code_text()})\n"
    )
