"""
The wheel, built from a copy of the sources and installed where nothing else is.

The one test that asks the package index: for the build's setuptools and for
Twisted. It runs in folders that have nothing to do with the project's own, so
that what works here does not work by accident of the working directory.
"""

import os
import re
import shutil
import sys
import venv
import zipfile

import pytest

import txremote
from tests.processes import ROOT, SERVES, Program, run

#: Seconds for a command that downloads.
DOWNLOADING = 300

NOT_SOURCES = ("__pycache__", "dropin.cache", "*.egg-info", "*.pyc")

SERVICE = """\
from txremote import Service, exposed


class Greeter(Service):
    @exposed
    def greet(self, name):
        return f"hello, {name}"
"""


def python(*words, **options):
    status, out, err = run(sys.executable, *words, timeout=DOWNLOADING, **options)
    assert status == 0, out + err
    return out


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, as pip builds it."""
    sources = tmp_path_factory.mktemp("sources")
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.rst", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    for name in ("txremote", "twisted", "tests", "docs", "examples"):
        if (ROOT / name).exists():
            ignored = shutil.ignore_patterns(*NOT_SOURCES)
            shutil.copytree(ROOT / name, sources / name, ignore=ignored)
    built = tmp_path_factory.mktemp("wheel")
    python("-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", built, sources)
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """
    The folder with the commands of an environment that has txremote and what it
    needs, and no more.
    """
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=os.name != "nt")
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    python("-m", "pip", "--python", commands / "python", "install", "-q", wheel)
    return commands


def clean():
    """Return an environment without what points to this one."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PYTHONNOUSERSITE": "1"}


def run_bare(*words, cwd):
    return run(*words, cwd=cwd, env=clean())


def test_wheel_has_the_package_and_the_plugin_and_no_more(wheel):
    """No tests, no docs, and no __init__.py that would hide Twisted's own plugins."""
    names = zipfile.ZipFile(wheel).namelist()
    assert "txremote/py.typed" in names
    assert "txremote/monitor/web/assets/page.html" in names
    assert "twisted/plugins/txremote_plugin.py" in names
    assert "txremote/wire/brine.py" in names
    foreign = [
        name
        for name in names
        if not name.startswith(("txremote/", "txremote-"))
        and name != "twisted/plugins/txremote_plugin.py"
    ]
    assert foreign == []


def test_every_module_of_the_tree_is_in_the_wheel(wheel):
    """What is imported from a checkout can be imported from the wheel."""
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "txremote").rglob("*.py")}
    assert modules - names == set()


def test_twistd_finds_the_plugin(bare, tmp_path):
    """twistd --help, from any folder, lists txremote."""
    status, out, err = run_bare(bare / "twistd", "--help", cwd=tmp_path)
    assert status == 0, err
    assert "txremote" in out
    assert "Serve Python objects" in out


def test_serves_and_calls_from_an_unrelated_folder(bare, tmp_path):
    """
    A service module in the working directory is served by the one command, and
    called by the other.
    """
    (tmp_path / "greeter.py").write_text(SERVICE)
    words = ["--pidfile=", "-n", "txremote", "--service", "greeter.Greeter"]
    listen = ["--listen", "tcp:0:interface=127.0.0.1"]
    with Program(bare / "twistd", *words, *listen, cwd=tmp_path, env=clean()) as server:
        port = server.wait_for(SERVES)[2]
        call = [bare / "txremote", "call", f"tcp:127.0.0.1:{port}", "greet", "ann"]
        assert run_bare(*call, cwd=tmp_path) == (0, "'hello, ann'\n", "")


def test_demo_runs_in_the_bare_environment(bare, tmp_path):
    """txremote demo needs nothing but what the wheel brings."""
    status, out, err = run_bare(bare / "txremote", "demo", cwd=tmp_path)
    assert (status, err) == (0, "")
    assert "pip install rpyc" in out  # it is not there, and not missed


def test_types_are_for_users_too(bare, tmp_path):
    """The installed package says that it has types."""
    words = ["-c", "import os, txremote; print(os.path.dirname(txremote.__file__))"]
    status, out, err = run_bare(bare / "python", *words, cwd=tmp_path)
    assert status == 0, err
    assert os.path.exists(os.path.join(out.strip(), "py.typed"))
    assert str(ROOT) not in out


def metadata_of(wheel):
    """Return the lines of a wheel's METADATA."""
    files = zipfile.ZipFile(wheel)
    (metadata,) = [name for name in files.namelist() if name.endswith("/METADATA")]
    return files.read(metadata).decode().splitlines()


def test_metadata_says_which_version_it_is_and_where_it_comes_from(wheel):
    """The version is the one in the module, read without importing it: Twisted is not there."""
    lines = metadata_of(wheel)
    assert f"Version: {txremote.__version__}" in lines
    for start in ("Author: ", "Project-URL: Source, https://", "License"):
        assert any(line.startswith(start) for line in lines), start


def test_every_requirement_has_a_lower_bound(wheel):
    """An older version than those that were tried is refused by pip, and not found out at work."""
    lines = metadata_of(wheel)
    required = [line for line in lines if line.startswith("Requires-Dist: ")]
    assert len(required) > 10
    unbounded = [line for line in required if not re.search(r"[>=]=\d", line)]
    ours = [line for line in unbounded if not line.startswith("Requires-Dist: txremote[")]
    assert ours == []
