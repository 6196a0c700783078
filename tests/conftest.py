"""
Fixtures for all tests: real server processes, started once and shared.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from tests.interop.peer_processes import ROOT, Hosted, script
from tests.unclosed_loops import LoopWatch

RPYC_5 = "5.3.1"

#: Processes that run the tests of the whole suite; each starts servers of its own.
MOST_PROCESSES = 8

#: Files and folders that take longest, with few tests. They begin first: left for last, as by
#: pytest-xdist, one process would run on when the others have nothing to do any more.
LONGEST = (
    *("tests/test_docs.py", "tests/test_drivers.py", "tests/contrib/", "tests/hostile/"),
    *("tests/notebook/", "tests/test_benchmarks.py", "tests/test_reaching.py"),
    *("tests/test_web_examples.py", "tests/aio/", "tests/interop/", "tests/work/"),
)

#: The servers of unmodified RPyC that the tests have.
STOCK_SERVERS = [
    "6.0.2 ThreadedServer",
    "6.0.2 ThreadPoolServer",
    "6.0.2 TLS",
    "6.0.2 bind_threads",
    "5.3.1 ThreadedServer",
    "5.3.1 ThreadPoolServer",
    "5.3.1 TLS",
]

# The suite starts hundreds of processes. Where bytecode files are forbidden, as in many an
# image, each of them would compile what it imports, and the run take a fifth longer.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# readline sets these in pytest's own process, and those of pytest-xdist get them. Programs that
# tests start on a terminal would believe them, and not the terminal.
for _name in ("LINES", "COLUMNS"):
    os.environ.pop(_name, None)

LOOPS = LoopWatch()

# A shell that runs the suite in the background has SIGINT ignored, and so would have every
# process that tests start, though they press Ctrl-C there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: Files that take half a minute and more each, with programs and services of others. They are not
#: in a run of the whole suite: ``.ci/run`` runs them after it, by their names.
LONG_FILES = tuple(
    f"tests/{name}"
    for name in (
        *("test_benchmarks.py", "test_drivers.py", "test_wheel.py", "interop/test_published.py"),
        "test_site_example.py",
        *("contrib/evennia/test_playing.py", "contrib/evennia/test_postgresql.py"),
        *("contrib/evennia/test_root.py", "contrib/evennia/test_commands.py"),
        *("contrib/evennia/test_gamepools.py", "contrib/evennia/test_changes.py"),
        *("contrib/evennia/test_travelling.py", "contrib/evennia/test_jobs.py"),
        *("contrib/evennia/test_messages.py", "contrib/evennia/test_page.py"),
        *("work/dask/test_pool.py", "buses/test_kills.py", "buses/test_topics.py"),
        *("daemon/workers/test_rolling.py", "daemon/workers/test_operating.py"),
        *(
            "machines/test_examples.py",
            "machines/test_links.py",
            "machines/test_link_clients.py",
            "machines/test_killed_workers.py",
        ),
        *("topics/test_crowd.py", "hostile/test_soak.py", "streams/test_long_files.py"),
        *("test_compare.py", "stubs/test_checkers.py"),
    )
)


# No test of hypothesis is timed: the machine may be busy. In CI it has a profile of its own.
settings.register_profile(
    "untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def the_reactor_hears_signals() -> Iterator[None]:
    """
    Fail a test that takes its signals from the reactor that all tests share: that would not hear
    of the ends of later tests' processes. A loop of asyncio's does so where it handles a signal,
    and one of uvloop's where it starts a process.
    """
    before = wakeup_descriptor()
    yield
    after = wakeup_descriptor()
    if before not in (-1, after):
        signal.set_wakeup_fd(before)
        pytest.fail("the reactor's wakeup descriptor is not set any more")


@pytest.fixture(scope="module", autouse=True)
def loops_are_closed() -> Iterator[None]:
    """Fail a file of tests in which a loop of asyncio's was made and never closed."""
    yield
    if lost := LOOPS.lost():
        pytest.fail("loops were not closed that were made in\n" + "\n".join(lost))


def wakeup_descriptor() -> int:
    """Return the descriptor that Python writes to when a signal comes; -1 for none."""
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    return descriptor


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """
    Run the whole suite, without its long files, on all cores (pytest-xdist), a file's tests in
    one process. A run of some paths is left alone: it is quicker, and easier to debug, here.
    """
    option = config.option
    if option.file_or_dir or option.collectonly or option.usepdb:
        return
    # in each process, as pytest-xdist gives them the command line and not the options
    option.ignore = [*(option.ignore or ()), *(str(ROOT / path) for path in LONG_FILES)]
    if hasattr(config, "workerinput"):  # one of those processes: it would start more of them
        return
    cores = len(os.sched_getaffinity(0))
    if getattr(option, "numprocesses", 1) is None and cores > 1:  # there is xdist, and no -n
        option.numprocesses = min(cores + 1, MOST_PROCESSES)  # they often wait for others
        option.dist = "loadfile"
        option.loadscopereorder = False  # `pytest_collection_modifyitems` has the order


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""

    def rank(item: pytest.Item) -> int:
        return next((n for n, path in enumerate(LONGEST) if item.nodeid.startswith(path)), 99)

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Leave the tests themselves, half a million objects, out of each later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Undo that: hypothesis, which may be imported this late, searches what trio has made."""
    gc.unfreeze()


def fetched(name: str, version: str, module: str) -> Path | str:
    """
    Return a folder with a package in it, to be put on PYTHONPATH, fetched once; or why
    it could not be.
    """
    folder = ROOT / ".peers" / f"{name}-{version}"
    if not (folder / module / "__init__.py").exists():
        fetching = folder.with_name(f"{folder.name}.part{os.getpid()}")
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        words += ["--disable-pip-version-check", "--upgrade", "--target", str(fetching)]
        done = subprocess.run(
            [*words, f"{name}=={version}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            return done.stderr
        try:
            fetching.rename(folder)  # whole or not at all
        except OSError:  # another run was quicker
            shutil.rmtree(fetching)
    return folder


@pytest.fixture(scope="session")
def rpyc5() -> Path:
    """
    A folder with RPyC 5.3.1 in it, to be put on PYTHONPATH. Fetched once.

    What else it needs (plumbum) comes with the RPyC 6 of the test extra.
    """
    folder = fetched("rpyc", RPYC_5, "rpyc")
    if isinstance(folder, str):
        pytest.fail(f"RPyC {RPYC_5} could not be fetched:\n{folder}")
    return folder


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """
    A key and a self-signed certificate for 127.0.0.1, as files.

    ``folder`` has the certificate alone, as Twisted's ``trustRoots`` wants it.
    """
    from tests.interop.certificate import make_certificate

    folder = tmp_path_factory.mktemp("tls")
    key, certificate = make_certificate()
    paths = {"key": folder / "key.pem", "certificate": folder / "trusted" / "server.pem"}
    paths["certificate"].parent.mkdir()
    paths["key"].write_bytes(key)
    paths["certificate"].write_bytes(certificate)
    paths["folder"] = paths["certificate"].parent
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture(scope="session")
def hosted(certificate: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One running ``twistd txremote`` with the shop: on TCP, TLS and a UNIX socket."""
    server = Hosted(
        "tests.interop.shop_hosted.Shop",
        "tcp:0:interface=127.0.0.1",
        "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}".format(**certificate),
        f"unix:{tmp_path_factory.mktemp('unix') / 'shop.sock'}",
    )
    try:
        yield server
        server.stop_cleanly()
    finally:
        server.kill()


class StockServer(NamedTuple):
    """
    A server of unmodified RPyC.

    Attributes:
        endpoint: Where it is, as `txremote.connect` takes it.
        config: What a client has to be told.
        dialect: The same, for one that cannot be found out.
        port: The number.
    """

    endpoint: str
    config: dict[str, bool]
    dialect: str
    port: int


@pytest.fixture(scope="session")
def stock_servers(rpyc5: Path, certificate: dict[str, str]) -> Iterator[dict[str, StockServer]]:
    """The `STOCK_SERVERS`, which three processes are."""
    files = [certificate["key"], certificate["certificate"]]
    running = {
        "6.0.2": script("stock_server", *files),
        "5.3.1": script("stock_server", *files, env={"PYTHONPATH": str(rpyc5)}),
        "bound": script("stock_server", env={"RPYC_BIND_THREADS": "true"}),
    }
    try:
        found = {}
        for server in STOCK_SERVERS:
            version, name = server.split()
            bound = name == "bind_threads"
            process = running["bound" if bound else version]
            said = process.wait_for(rf"^{'ThreadedServer' if bound else name} (\d+)")
            kind, more = "tcp", ""
            if name == "TLS":
                kind, more = "tls", ":trustRoots=" + certificate["folder"]
            port = int(said[0][1])
            found[server] = StockServer(
                endpoint=f"{kind}:127.0.0.1:{port}{more}",
                config={"bind_threads": True} if bound else {},
                # RPyC 5's thread pool says nothing at all to a client that speaks RPyC 6
                dialect="5" if server == "5.3.1 ThreadPoolServer" else "auto",
                port=port,
            )
        yield found
    finally:
        for process in running.values():
            process.kill()
