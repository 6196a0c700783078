"""
plac's documentation, with the programs in it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.interop.peer_processes import ROOT

PLAC = "1.4.7"


@pytest.fixture(scope="session")
def plac_doc() -> Path:
    """The ``doc`` folder of plac's source distribution. Fetched once."""
    folder = ROOT / ".peers" / f"plac-{PLAC}-doc"
    if not (folder / "importer1.py").exists():
        fetching = folder.with_name(folder.name + ".part")
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        words += ["--disable-pip-version-check", "--no-binary", "plac", "--dest", str(fetching)]
        done = subprocess.run(
            [*words, f"plac=={PLAC}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.fail(f"plac {PLAC} could not be fetched:\n{done.stderr}")
        with tarfile.open(fetching / f"plac-{PLAC}.tar.gz") as archive:
            archive.extractall(fetching, filter="data")
        (fetching / f"plac-{PLAC}" / "doc").rename(folder)  # whole or not at all
        shutil.rmtree(fetching)
    return folder
