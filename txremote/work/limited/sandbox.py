"""
The command that starts the process of a limited source: within bubblewrap, or without.

The interpreter is the one of this program, not its virtual environment, and without ``site``: it
finds the standard library, the codec of the wire, this folder and RestrictedPython, and nothing
else that is installed. Within the sandbox these are the only files, apart from the system's
libraries, all of them read-only. There is no network, no ``/proc``, ``/dev``, ``/home`` or
``/etc``, no capability, and no other process; the whole of it ends with the program.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from txremote.errors import NoSandbox

Sandbox = Literal["required", "none"]

#: The descriptor to which bubblewrap writes which process is the first in the sandbox.
INFO: Final = 3

_PACKAGE: Final = Path(__file__).parents[2]
_SYSTEM: Final = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64")
_INSIDE: Final = "/limited"
# Parts of the package that the process imports, without the packages that they stand in, which
# would bring Twisted; and the two errors that the codec needs.
_START: Final = """
import sys, types
root, path = sys.argv.pop(1), sys.argv.pop(1)
sys.path.append(path)
for name in ("", ".wire", ".work", ".work.limited", ".errors"):
    module = sys.modules["txremote" + name] = types.ModuleType("txremote" + name)
    module.__path__ = [root + name.replace(".", "/")]
module.NotSendable = type("NotSendable", (ValueError,), {})
module.RemoteProtocolError = type("RemoteProtocolError", (Exception,), {})
from txremote.work.limited.inside import main
main()
"""
_FLAGS: Final = ("-I", "-S", "-B", "-X", "utf8", "-c", _START)

_HOW: Final = (
    'sandbox="none" runs it without; docs/limited.rst says what is promised with and without it'
)


@dataclass(frozen=True)
class Command:
    """
    A program and its arguments.

    Attributes:
        executable: Its file.
        arguments: All of them, its name first.
        is_boxed: Whether it is a sandbox, and tells its first process at `INFO`.
    """

    executable: str
    arguments: tuple[str, ...]
    is_boxed: bool


def command(sandbox: Sandbox, memory: int, seconds: int) -> Command:
    """
    Return the command for the process of a source.

    Args:
        sandbox: Whether it runs in one.
        memory: Bytes of address space, for the process.
        seconds: Of processor time, whole.

    Raises:
        ImportError: RestrictedPython is not installed.
        NoSandbox: a sandbox is required, and bubblewrap is not installed.
    """
    restricted = restricted_python()
    limits = (str(memory), str(seconds))
    python = interpreter()
    if sandbox == "none":
        paths = (str(_PACKAGE), str(restricted.parent))
        return Command(python, (python, *_FLAGS, *paths, *limits), False)
    inner = (python, *_FLAGS, f"{_INSIDE}/txremote", _INSIDE, *limits)
    return boxed(inner, restricted)


def boxed(inner: tuple[str, ...], restricted: Path) -> Command:
    """Return a command that runs another in the sandbox. NoSandbox: there is no bubblewrap."""
    bubblewrap = shutil.which("bwrap") or shutil.which("bwrap", path="/usr/bin:/usr/local/bin")
    if bubblewrap is None:
        raise NoSandbox(
            "a limited source runs in a sandbox of bubblewrap, and there is no bwrap here: "
            f"install it (apt-get install bubblewrap). {_HOW}"
        )
    options = (
        *("--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--info-fd", str(INFO)),
        *_files(restricted),
        *("--remount-ro", "/", "--chdir", "/"),
    )
    return Command(bubblewrap, (bubblewrap, *options, "--", *inner), True)


def no_sandbox(why: str) -> NoSandbox:
    """Return the error for a bubblewrap that does not work here."""
    return NoSandbox(f"bubblewrap makes no sandbox here ({why or 'it says nothing'}). {_HOW}")


def interpreter() -> str:
    """Return the file of the interpreter that this program's environment was made of."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def restricted_python() -> Path:
    """Return the folder of RestrictedPython. ImportError: it is not installed."""
    spec = find_spec("RestrictedPython")
    if spec is None or spec.origin is None:
        raise ImportError(
            "limited_exec needs RestrictedPython: pip install 'txremote[restricted]'",
            name="RestrictedPython",
        )
    return Path(spec.origin).parent


@lru_cache(maxsize=4)
def _files(restricted: Path) -> tuple[str, ...]:
    """Return bubblewrap's options for the files that Python needs to run a source."""
    shown = [path for path in _SYSTEM if os.path.isdir(path)]
    python = interpreter()
    shown.append(python)
    for library in {sysconfig.get_config_var("LIBDIR"), os.path.join(sys.base_prefix, "lib")}:
        shown += map(str, Path(library or "/usr/lib").glob("libpython*.so*"))
    base = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix})
    standard = {base["stdlib"], base["platstdlib"]}
    shown += sorted(standard)
    options = [part for path in shown for part in ("--ro-bind", path, path)]
    for folder in standard:
        for installed in ("site-packages", "dist-packages"):
            hidden = os.path.join(folder, installed)
            if os.path.isdir(hidden):
                options += ("--tmpfs", hidden, "--remount-ro", hidden)
    for source, place in (
        (restricted, "RestrictedPython"),
        (_PACKAGE / "wire", "txremote/wire"),
        (_PACKAGE / "work" / "limited", "txremote/work/limited"),
    ):
        options += ("--ro-bind", str(source), f"{_INSIDE}/{place}")
    return tuple(options)
