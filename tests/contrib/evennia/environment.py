"""
The environment that the tests' games run in: a Python with Evennia and this tree in it.

Evennia has requirements of its own (its Django and its Twisted, often another Python), so it does
not share the tests' environment. It is made once, in ``.peers/evennia``, with the newest Python
that is found; an Evennia fits each: 5.0 for Python 3.11, 6 for newer ones. With it comes an empty
game that is made and migrated already, which the tests copy.

``python -m tests.contrib.evennia.environment`` makes what is not there yet. Where that does not
work, or not in time, it says so, and the tests of games are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
FOLDER = ROOT / ".peers" / "evennia"

#: A game that was never started: made, migrated, with its superuser and its first room.
TEMPLATE = FOLDER / "template"
#: Written last, with `WANTED`; or with the reason where the environment could not be made.
READY = FOLDER / "ready"

PYTHONS = ("3.13", "3.12", "3.11")
#: What the environment has: one that was made with less is made anew.
WANTED = ("evennia>=5.0.1", "psycopg[binary]>=3.1.12", "txremote[evennia,console,restricted]")

#: Seconds that all of it may take.
PATIENCE = 240

#: The account that may do anything, and the password of all accounts of the tests.
SUPERUSER = "admin"
PASSWORD = "tolkien-99"

FAILED = "Evennia could not be installed"

#: Limbo and the first character, without the restart that ends it in a running Server.
FIRST_START = """
from django.conf import settings
settings.TEST_ENVIRONMENT = True
from evennia.server.initial_setup import handle_setup
handle_setup()
"""


def bin(name: str) -> Path:
    """Return where a command of the environment is."""
    return FOLDER / "bin" / name


def variables() -> dict[str, str]:
    """Return the environment variables that the environment's commands are run with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {
        **kept,
        "PATH": os.pathsep.join([str(bin("")), os.environ.get("PATH", os.defpath)]),
        "VIRTUAL_ENV": str(FOLDER),
        "EVENNIA_SUPERUSER_USERNAME": SUPERUSER,
        "EVENNIA_SUPERUSER_EMAIL": "",
        "EVENNIA_SUPERUSER_PASSWORD": PASSWORD,
    }


def why_not() -> str | None:
    """Return why no game can be run, or None if one can."""
    found = READY.read_text() if READY.exists() else ""
    if found == "\n".join(WANTED):
        return None
    reason = found if found.startswith(FAILED) else "no Evennia"
    return f"{reason}: python -m tests.contrib.evennia.environment installs it"


def pythons() -> list[str]:
    """Return the interpreters that may do, best first: those on the path, and pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for version in PYTHONS:
        installed = sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)
        named = shutil.which(f"python{version}")
        found += [str(path) for path in installed] + ([named] if named else [])
    return [*found, sys.executable]


def works(python: str) -> bool:
    """Tell whether an interpreter can make environments (pyenv's stand-ins often cannot)."""
    probe = [python, "-c", "import ensurepip, sqlite3, venv"]
    try:
        return not subprocess.run(probe, capture_output=True, timeout=20, check=False).returncode
    except (OSError, subprocess.SubprocessError):
        return False


class Making:
    """The steps, and how much time is left for them."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def run(self, *words: object, cwd: Path = ROOT) -> None:
        """
        Run a command of the environment to its end.

        Raises:
            RuntimeError: It failed or took too long; with what it said.
        """
        line = [str(word) for word in words]
        try:
            done = subprocess.run(
                line,
                cwd=cwd,
                env=variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=max(self._end - time.monotonic(), 0.1),
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise RuntimeError(f"{' '.join(line[:4])}: {error}") from error
        if done.returncode:
            raise RuntimeError(f"{' '.join(line[:4])}: {done.stdout[-2000:]}")

    def everything(self) -> None:
        """Make the environment and the empty game in it."""
        python = next(filter(works, pythons()), None)
        if python is None:
            raise RuntimeError(f"no Python of {', '.join(PYTHONS)} that has venv")
        self.run(python, "-m", "venv", "--clear", FOLDER)
        pip = (bin("python"), "-m", "pip", "install", "-q", "--disable-pip-version-check")
        *packages, own = WANTED
        self.run(*pip, *packages)
        tree = f"{ROOT}{own.removeprefix('txremote')}"
        self.run(*pip, "-e", tree, "--config-settings", "editable_mode=compat")
        self.run(bin("evennia"), "--init", TEMPLATE.name, cwd=FOLDER)
        self.run(bin("evennia"), "migrate", cwd=TEMPLATE)
        # a shell makes the superuser of the variables; this is what the first start would do
        self.run(bin("evennia"), "shell", "-c", FIRST_START, cwd=TEMPLATE)


def in_a_line(error: object) -> str:
    """Return the beginning and the end of a text, in one line."""
    text = " ".join(str(error).split())
    return text if len(text) < 400 else f"{text[:100]} ... {text[-300:]}"


def make(seconds: float = PATIENCE) -> str | None:
    """
    Make the environment if it is not there.

    Args:
        seconds: That it may take.

    Returns:
        Why there is none; or None: there is one.
    """
    if why_not() is None:
        return None
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        Making(seconds).everything()
    except RuntimeError as error:
        FOLDER.mkdir(parents=True, exist_ok=True)
        READY.write_text(f"{FAILED}: {in_a_line(error)}")
    else:
        READY.write_text("\n".join(WANTED))
    return why_not()


if __name__ == "__main__":
    trouble = make()
    if trouble:
        print(f"== no game: {trouble}")
