"""
``python -m txremote``.
"""

import sys

from tests.processes import run


def test_module_runs_as_the_command_does(tmp_path):
    """python -m txremote is txremote, for those who have it not on their path."""
    status, out, err = run(sys.executable, "-m", "txremote", "--help", cwd=tmp_path)
    assert (status, err) == (0, "")
    assert out.startswith("usage: txremote ")


def test_module_passes_the_exit_status_on(tmp_path):
    """A command that could not be made ends with 2."""
    words = ["call", "nonsense", "add"]
    status, out, _err = run(sys.executable, "-m", "txremote", *words, cwd=tmp_path)
    assert (status, out) == (2, "")
