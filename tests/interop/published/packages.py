"""
The published packages that are run, and how they get here.

Each has a folder of its own below ``.peers/published``, for each version of Python, with what
else it imports and the tests' environment lacks. They are installed without their
dependencies: most name an rpyc of their own, desktop toolkits, or drivers of machines that
are not here.

``python -m tests.interop.published.packages`` installs what is not there yet. What does not
come, or not in time, is left out, and its tests are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
#: One for each version of Python: some of what they import is compiled.
FOLDER = ROOT / ".peers" / "published" / sys.implementation.cache_tag

#: What stands in for machines and proprietary programs: modules under their names.
STANDINS = Path(__file__).parent / "standins"

#: Seconds that all of them together may take to be installed.
PATIENCE = 60


@dataclass(frozen=True)
class Package:
    """
    A package, and how twistd hosts its service.

    Args:
        driver: The module of this folder that uses it.
        version: As pip takes it: ``name==version``.
        hosted: The options of ``twistd txremote``.
        beside: What else it imports, as pip takes it.
        changed: Whether its own server is run with the import changed, too.
    """

    driver: str
    version: str
    hosted: tuple[str, ...]
    beside: tuple[str, ...] = ()
    changed: bool = True

    @property
    def name(self) -> str:
        """Its name on the package index."""
        return self.version.partition("==")[0]

    @property
    def folder(self) -> Path:
        """Where it is installed, or would be."""
        words = "+".join(word.replace("==", "-") for word in (self.version, *self.beside))
        return FOLDER / words


WIDE = ("--allow-all-attrs", "--allow-setattr", "--allow-delattr", "--allow-pickle")
CLASSIC = ("--classic", "--allow-pickle")

PACKAGES = [
    Package("mt5_container", "mt5linux==1.0.3", CLASSIC),
    Package("mt5_bridge", "mt5-mac-bridge==0.1.0", CLASSIC, ("siliconmetatrader5==1.2.3",)),
    Package(
        "lab_data",
        "lab-data-logger==0.5.2",
        ("--service=lab_data_logger.services.RandomNumberService",),
    ),
    Package(
        "ida",
        "headless-ida==0.6.8",
        ("--service=tests.interop.published.ida.Server", "--allow-all-attrs"),
    ),
    Package(
        "imports",
        "rpyc-import-bridge==0.2.0",
        ("--service=tests.interop.published.imports.Importer", "--allow-all-attrs"),
    ),
    Package(
        "instruments",
        "nspyre==0.6.1",
        ("--service=tests.interop.published.instruments.server", *WIDE),
    ),
    Package(
        "modules", "qudi-core==1.8.0", ("--service=tests.interop.published.modules.Modules", *WIDE)
    ),
    Package(
        "agents",
        "genbase-client==0.1.8",
        (
            "--service=tests.interop.published.agents.Platform",
            *("--allow-public-attrs", "--allow-pickle"),
        ),
        (
            *("loguru==0.7.3", "pydantic==2.12.5", "pydantic_core==2.41.5"),
            *("annotated-types==0.7.0", "typing-inspection==0.4.2"),
        ),
    ),
    Package(
        "website",
        "django-rpyc==0.1.13",
        ("--service=tests.interop.published.website.DjangoRpycService",),
        ("django==5.2.8", "asgiref==3.10.0", "sqlparse==0.5.3"),
    ),
    Package(
        "spectroscopy",
        "linien-client==2.1.0",
        (
            "--service=tests.interop.published.spectroscopy.FakeRedPitayaControlService",
            *("--allow-public-attrs", "--allow-pickle"),
        ),
        (
            "linien-server==2.1.0",
            "linien-common==2.1.0",
            "appdirs==1.4.4",
            *("importlib-metadata==8.7.0", "zipp==3.23.0"),
        ),
    ),
]


def install() -> None:
    """Install what is not there yet, for at most `PATIENCE` seconds; say what does not come."""
    end = time.monotonic() + PATIENCE
    for package in PACKAGES:
        if package.folder.exists():
            continue
        part = package.folder.with_name(f"part-{package.name}")
        shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        words += ["--disable-pip-version-check", "--no-compile", "--target", str(part)]
        try:
            subprocess.run(
                [*words, package.version, *package.beside],
                check=True,
                timeout=max(end - time.monotonic(), 0.1),
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
        except (subprocess.SubprocessError, OSError):
            print(f"== not installed: {package.version}")
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.rename(package.folder)  # whole or not at all


if __name__ == "__main__":
    install()
