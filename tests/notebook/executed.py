"""Notebooks that are executed by nbclient, in a process of its own: its loops take signals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.stdin, as_version=4)
where = {"metadata": {"path": sys.argv[1]}}
nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", resources=where).execute()
nbformat.write(notebook, sys.stdout)
"""


def executed(notebook: Any, folder: Path) -> Any:
    """Return a notebook with the outputs of its cells, which ran in a folder."""
    import nbformat  # where it is missing, most tests run

    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(folder)],
        input=nbformat.writes(notebook),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return nbformat.reads(done.stdout, as_version=4)
