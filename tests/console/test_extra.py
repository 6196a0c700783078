"""
plac is an extra, and who has not got it hears how to get it.
"""

from __future__ import annotations

import subprocess
import sys

from txremote.console.extra import plac_core

WITHOUT = """
import sys
sys.modules["plac_core"] = None  # as if it were not installed
import txremote, txremote.console
from txremote import Progress, Task
from txremote import *
try:
    txremote.TaskManager
except ImportError as problem:
    print(problem)
"""


def test_it_is_plac_s_parser() -> None:
    """And nothing of ours."""
    assert plac_core.ArgumentParser.__module__ == "plac_core"


def test_without_plac_all_else_works() -> None:
    """Only what needs it raises, with the command that installs it."""
    words = [sys.executable, "-c", WITHOUT]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.stdout == (
        "command containers are read by plac's parser: pip install 'txremote[console]'\n"
    )


def test_importing_txremote_does_not_import_plac() -> None:
    """Not everybody who calls remote objects reads command lines."""
    source = "import sys, txremote; print('plac_core' in sys.modules, 'plac' in sys.modules)"
    words = [sys.executable, "-c", source]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "False False\n", done.stderr
