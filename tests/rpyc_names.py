"""
The tables of RPyC's names and switches in ``docs/coming_from_rpyc.rst``: every public name
of RPyC 6.0.2, and what it is in `txremote.blocking`.

``python -m tests.rpyc_names`` writes them into the page; `tests/blocking/test_rpyc_names.py`
checks that the page has them and that nothing is forgotten.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import rpyc

from txremote.blocking.refused import Refused
from txremote.config import FLAG
from txremote.daemon.plan import LIMITS, SWITCHES

PAGE = Path(__file__).parent.parent / "docs" / "coming_from_rpyc.rst"
NAMES, SWITCHES_TOO = "names", "switches"

ROOT = Path(rpyc.__file__).parent

#: What is different of a name that is there.
BETTER = {
    "rpyc.AsyncResult": "it *fires*: see `What is better`_",
    "rpyc.BgServingThread": "waits on the socket; ``active`` says whether it serves",
    "rpyc.Connection": "``BlockingConnection``",
    "rpyc.Channel": "compresses what pays",
    "rpyc.OneShotServer": "closes its port as soon as it has its client",
    "rpyc.ThreadPoolServer": "a thread that waits does not count as one of ``nbThreads``",
    "rpyc.ThreadedServer": "one reactor; ``hostname=None`` is loopback",
    "rpyc.connect": "finds out which version of RPyC the server speaks",
    "rpyc.core.protocol.DEFAULT_CONFIG": "safer in three places: see `Every switch`_",
    "rpyc.utils.authenticators.SSLAuthenticator": "``--tls-ca`` needs no thread a client",
    "rpyc.utils.classic.connect": (
        "takes ``config=``; offers the server nothing, unless ``service=ClassicService``"
    ),
    "rpyc.utils.classic.download": "a name that leads out of the folder is refused",
    "rpyc.utils.classic.obtain": "copies item by item (`What is refused, or otherwise`_)",
    "rpyc.utils.registry.TCPRegistryServer": "on loopback, unless ``host=`` says where",
    "rpyc.utils.registry.UDPRegistryServer": "on loopback, unless ``host=`` says where",
    "rpyc.utils.server.Server": "``ThreadedServer``",
}

#: RPyC's insides: names that are public by their spelling alone, by module.
INSIDES = {
    "rpyc.cli.rpyc_classic": ("*", "a command: ``twistd txremote --classic``"),
    "rpyc.cli.rpyc_registry": ("*", "a command: ``txremote registry``"),
    "rpyc.core.brine": ("TAG_* IMM_INTS* register simple_types I1 I4 F8 C16 I8I8", ""),
    "rpyc.core.netref": (
        "builtin_*_cache DELETED_ATTRS LOCAL_ATTRS NetrefMetaclass NetrefClass class_factory",
        "",
    ),
    "rpyc.core.protocol": ("UNBOUND_THREAD_ID", ""),
    "rpyc.core.reactor": ("*", ""),
    "rpyc.core.service": ("Slave", "the base of ``SlaveService``, which has its methods here"),
    "rpyc.core.stream": ("retry_errnos ClosedFile", ""),
    "rpyc.core.vinegar": ("dump load REMOTE_LINE*", ""),
    "rpyc": ("cli", "its modules are commands: ``twistd txremote``"),
    "rpyc.lib": (
        "maxint SPAWN_THREAD_PREFIX MissingModule safe_import hybridmethod hasattr_static "
        "spawn_waitready Timeout socket_backoff_connect exp_backoff get_id_pack get_methods",
        "",
    ),
    "rpyc.lib.colls": ("*", ""),
    "rpyc.lib.compat": ("*", ""),
    "rpyc.utils.helpers": ("SyncRequest*", ""),
    "rpyc.utils.teleportation": ("CODEOBJ_MAGIC CODE_HAVEARG_SIZE decode_codeobj", ""),
    "rpyc.utils.zerodeploy": ("SERVER_SCRIPT", ""),
    "rpyc.version": ("release_date", ""),
}


def modules() -> Iterator[tuple[str, Path]]:
    """Give RPyC's modules and their files; ``async`` cannot be imported by a statement."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts[-1:] != ("async",):
            yield ".".join(("rpyc", *parts)), path


def names_of(path: Path) -> list[str]:
    """Return the public names that a module of RPyC defines, or shows as a package."""
    shows = path.name == "__init__.py"
    found: list[str] = []
    for node in _statements(ast.parse(path.read_text("utf-8")).body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, ast.Assign) and not _is_import(node.value):
            found += [each.id for each in node.targets if isinstance(each, ast.Name)]
        elif shows and isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rpyc"):
            found += [each.name for each in node.names]
    return sorted({name for name in found if not name.startswith("_")})


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _statements(node.body + node.orelse)
        elif isinstance(node, ast.Try):
            yield from _statements(node.body)
        else:
            yield node


def _is_import(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in ("safe_import", "__import__")
    )


def here(module: str, name: str) -> Any:
    """
    Return what a name of RPyC's is here.

    Raises:
        LookupError: there is no such thing.
    """
    try:
        found: Any = importlib.import_module(module.replace("rpyc", "txremote.blocking", 1))
        return getattr(found, name)
    except (ImportError, AttributeError):
        raise LookupError(f"{module}.{name}") from None


def fate(module: str, name: str) -> str:
    """
    Return what a name is here, in words.

    Raises:
        LookupError: it was forgotten.
    """
    patterns, why = INSIDES.get(module, ("", ""))
    if any(fnmatchcase(name, pattern) for pattern in patterns.split()):
        return why or "not here: an inside of RPyC's"
    found = here(module, name)
    if isinstance(found, Refused):
        return f"refused: {found.instead}"
    note = BETTER.get(f"{module}.{name}", "")
    return note or "the same"


def table() -> str:
    """
    Return the table, as it stands in the page.

    Raises:
        LookupError: names are forgotten; all of them.
    """
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 45 55", ""]
    lines += ["   * - RPyC's name", "     - Here"]
    forgotten = []
    for module, path in modules():
        rows: dict[str, list[str]] = {}
        for name in names_of(path):
            try:
                rows.setdefault(fate(module, name), []).append(name)
            except LookupError as problem:
                forgotten.append(str(problem))
        for words, names in rows.items():
            spelled = " ".join(f"``{name}``" for name in names)
            lines += [f"   * - ``{module}``: {spelled}", f"     - {words}"]
    if forgotten:
        raise LookupError("no word of " + ", ".join(forgotten))
    return "\n".join(lines) + "\n"


#: What a switch of RPyC's does not do here.
NO_EFFECT = {
    "close_catchall": "no effect: what closing raises is logged",
    "connid": "set for you: read ``conn._config``",
    "credentials": "set for you: read ``conn._config``",
    "endpoints": "set for you: read ``conn._config``",
    "instantiate_oldstyle_exceptions": "no effect: they were Python 2's",
    "propagate_KeyboardInterrupt_locally": "no effect: the server's Ctrl-C is its own",
    "propagate_SystemExit_locally": "no effect: a method does not end its server",
    "include_local_version": "no effect: the version is never told",
}

#: What is different of a switch that has one.
SAFER = {
    "include_local_traceback": "None: to peers on the same machine",
    "safe_attrs": "RPyC's list, less ``__new__``",
    "sync_request_timeout": "the one that may be set on a live connection",
    "allow_pickle": "pickles are made for the peer, and its pickles are read here",
    "bind_threads": "connecting only: what the server was started with",
}


def switches() -> str:
    """Return the table of switches, as it stands in the page."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 34 20 46", ""]
    lines += ["   * - RPyC's switch", "     - Its default", "     - Here"]
    options = {each.field: each for each in (*SWITCHES, *LIMITS)}
    for name, default in rpyc.core.protocol.DEFAULT_CONFIG.items():
        shown = "RPyC's list" if name == "safe_attrs" else f"``{default!r}``"
        words = NO_EFFECT.get(name) or SAFER.get(name) or "the same"
        if name in options:
            on = options[name].default is not True or options[name].kind != FLAG
            words += f"; ``--{'' if on else 'no-'}{options[name].name}``"
        lines += [f"   * - ``{name}``", f"     - {shown}", f"     - {words}"]
    return "\n".join(lines) + "\n"


def page_with(text: str) -> str:
    """Return the page's text with the tables as they are now."""
    for kind, new in ((NAMES, table()), (SWITCHES_TOO, switches())):
        begin = f".. the table of {kind}: python -m tests.rpyc_names\n"
        end = f".. the end of the table of {kind}\n"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{new}\n{end}{after}"
    return text


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(page_with(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
