"""
The matrix: each Python with each reactor, and either with the oldest and the newest Twisted.

``nox -l`` lists the cells. One of them, and one folder of tests in it::

    nox -s "tests(3.12-oldest-uvloop)" -- tests/wire

Pythons that are not on the machine are skipped. ``.ci/run`` does one cell of this in an
environment of its own: the Python it finds, the newest of all packages, the default reactor.
"""

import configparser
import re
from pathlib import Path

import nox

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
REACTORS = ("epoll", "asyncio", "select", "uvloop")
TWISTED = ("oldest", "newest")

# The driver of txremote.aio on either loop, and the tests of a reactor that are run over it.
DRIVERS = ("aio", "aio-uvloop")
DRIVEN = ("tests/net", "tests/peer", "tests/refs", "tests/eventloop", "tests/interop")
DRIVEN += ("tests/hostile",)

# Every two of (Python, Twisted, reactor) meet in some cell; not every three.
CELLS = [
    (python, TWISTED[(row + column) % 2], reactor)
    for row, python in enumerate(PYTHONS)
    for column, reactor in enumerate(REACTORS)
]

nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = False
# Without it twistd does not find the command txremote in an editable install.
EDITABLE = ("--config-settings", "editable_mode=compat")


def lowest(python: str) -> list[str]:
    """Return constraints with the lowest versions that setup.cfg allows.

    The lowest versions of some packages have no build for Pythons that came later. So all of
    them are tried with the oldest Python, and the other ones get the oldest Twisted.
    """
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).with_name("setup.cfg"))
    extras = setup["options.extras_require"]
    lines = "\n".join(
        [setup["options"]["install_requires"]]
        + [extras[name] for name in extras if name not in ("lint", "docs")]
    )
    found = re.findall(r"^([A-Za-z][\w.-]*)(?:\[[a-z,]+\])?>=([\d.]+)$", lines, re.MULTILINE)
    return sorted(
        {
            f"{name}=={version}"
            for name, version in found
            if python == PYTHONS[0] or name == "Twisted"
        }
    )


@nox.session
@nox.parametrize("python,twisted,reactor", CELLS, ids=["-".join(cell) for cell in CELLS])
def tests(session: nox.Session, twisted: str, reactor: str) -> None:
    """Run the tests in one cell of the matrix; arguments go to pytest."""
    # not in the session's own folder for such files: paths of UNIX sockets in it would be too long
    constraints = Path(session.virtualenv.location) / "constraints.txt"
    constraints.write_text("\n".join(lowest(session.python) if twisted == "oldest" else []))
    session.install("-c", str(constraints), "-e", ".[test]", *EDITABLE)
    session.run("python", "-m", "pip", "list", "--format=freeze")
    session.run(
        *("python", "-m", "pytest", "-p", "no:cacheprovider"),
        *("-p", "tests.reactors", f"--reactor={reactor}"),
        "--tb=native",  # others compile source, which Python 3.11 cannot in a greenlet
        *session.posargs,
        env={"TXREMOTE_LONG": "1"},  # all examples of hypothesis
    )


@nox.session
@nox.parametrize("loop", ["aio-loop", "aio-loop-uvloop"])
def pools_on_asyncio(session: nox.Session, loop: str) -> None:
    """Run the tests of pools and tasks by an asyncio loop, with no reactor of their own."""
    session.install("-e", ".[test]", *EDITABLE)
    session.run(
        *("python", "-m", "pytest", "-p", "no:cacheprovider", "--tb=native"),
        *("-p", "tests.loop_as_reactor", f"--reactor={loop}", "tests/work", "tests/tasks"),
        *session.posargs,
    )


@nox.session
def games(session: nox.Session) -> None:
    """Run the tests of games with their large numbers, and one that is made as the page says."""
    session.install("-e", ".[test]", *EDITABLE)
    session.run("python", "-m", "tests.contrib.evennia.environment")
    session.run(
        *("python", "-m", "pytest", "-p", "no:cacheprovider"),
        *(session.posargs or ["tests/contrib"]),
        env={"TXREMOTE_LONG": "1"},
    )


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run the tests of the benchmarks with all rows that are cheap enough for tests."""
    session.install("-e", ".[test]", *EDITABLE)
    session.run(
        *("python", "-m", "pytest", "-p", "no:cacheprovider", "tests/test_benchmarks.py"),
        *session.posargs,
        env={"TXREMOTE_LONG": "1"},
    )


@nox.session
@nox.parametrize("driver", DRIVERS)
def drivers(session: nox.Session, driver: str) -> None:
    """Run a reactor's tests over the driver of txremote.aio; arguments go to pytest."""
    session.install("-e", ".[test]", *EDITABLE)
    session.run(
        *("python", "-m", "pytest", "-p", "no:cacheprovider"),
        *("-p", "tests.drivers", f"--reactor={driver}"),
        "--tb=native",
        *(session.posargs or DRIVEN),
    )


@nox.session
def packages(session: nox.Session) -> None:
    """Build what is released into ``build/packages``: the sources, a pure and a compiled wheel."""
    session.install("build", "twine")
    folder = Path("build/packages").absolute()
    session.run("python", "-m", "build", "--outdir", str(folder))
    compiled = {"TXREMOTE_COMPILE": "1"}
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder), env=compiled)
    session.run("python", "-m", "twine", "check", "--strict", *map(str, folder.iterdir()))


@nox.session
@nox.parametrize("kind", ["sdist", "pure", "compiled"])
@nox.parametrize("python", PYTHONS)
def installed(session: nox.Session, kind: str) -> None:
    """Install what ``packages`` has built where nothing else is; see the plugin, run the demo."""
    name = str(session.python).replace(".", "")
    pattern = {"sdist": "*.tar.gz", "pure": "*-none-any.whl", "compiled": f"*-cp{name}-cp*.whl"}
    found = list(Path("build/packages").absolute().glob(pattern[kind]))
    if not found:
        session.skip(f"no such package: TXREMOTE_COMPILE=1 python{session.python} -m build --wheel")
    session.install(f"txremote[admin] @ {found[0].as_uri()}", "rpyc")
    session.cd(session.create_tmp())
    build = "compiled" if kind == "compiled" else "pure Python"
    said = session.run("txremote", "--version", silent=True)
    assert build in said, said
    assert "txremote" in session.run("twistd", "--help", silent=True)
    session.run("txremote", "demo")
