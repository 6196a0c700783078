"""
What names stand for: services, containers, who knows passwords.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin

from txremote.daemon.lookup import find_checker, find_container, find_service
from txremote.net.login import Password


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in ("lookedup", "lookedup.inner"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    return tmp_path


@pytest.mark.parametrize("name", ["tests.net.servers.Desk", "txremote.demo.DemoService"])
def test_a_dotted_name_is_imported(name: str) -> None:
    """The object of that name is returned as it is."""
    found = find_service(name)
    assert found.__module__ + "." + found.__qualname__ == name


def test_an_instance_and_a_class_within_a_class(folder: Path) -> None:
    """A name may lead deep."""
    (folder / "lookedup.py").write_text(
        "import txremote\nclass Outer:\n    class Desk(txremote.Service): pass\n    desk = Desk()\n"
    )
    assert find_service("lookedup.Outer.Desk").__name__ == "Desk"
    assert type(find_service("lookedup.Outer.desk")).__name__ == "Desk"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("1 / 0", "importing 'lookedup' failed: ZeroDivisionError: division by zero"),
        ("class:", "importing 'lookedup' failed: SyntaxError: invalid syntax"),
        ("import nosuch.thing", "importing 'lookedup' failed: it needs 'nosuch', which is not in"),
        ("raise SystemExit(3)", "importing 'lookedup' failed: SystemExit: 3"),
        ("Dask = 5", "'lookedup' has no 'Desk'"),
        ("Desk = 5", "int is no service: derive it from txremote.Service"),
    ],
)
def test_a_module_that_is_not_right(folder: Path, source: str, sentence: str) -> None:
    """There is a sentence, however its import fails."""
    (folder / "lookedup.py").write_text(source + "\n")
    with pytest.raises(ValueError) as caught:  # looked at below
        find_service("lookedup.Desk")
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("name", ["", "desk", "./desk.py", "a..B", "a.B()"])
def test_what_is_no_name(name: str) -> None:
    """It is told how a service is named."""
    with pytest.raises(ValueError, match=r"^a service is named package\.module\.Class, not "):
        find_service(name)


def test_a_container_is_found() -> None:
    """With its arguments; what is none is a ValueError."""
    assert find_container("tests.services.Importer").name == "Importer"
    with pytest.raises(ValueError, match="has no 'Imp'"):
        find_container("tests.services.Imp")


def test_without_plac_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra, by name."""
    for name in [name for name in sys.modules if name.startswith("txremote.console.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plac_ext", None)
    monkeypatch.setitem(sys.modules, "plac", None)
    monkeypatch.setitem(sys.modules, "plac_core", None)
    with pytest.raises(ValueError, match=r"txremote\[console\]"):
        find_container("tests.services.Importer")


@pytest.mark.parametrize("kind", ["file", "memory"])
@pytest_twisted.ensureDeferred
async def test_who_knows_a_password(tmp_path: Path, kind: str) -> None:
    """With the credentials that a login gives it: names and passwords in bytes."""
    (tmp_path / "users").write_text("ann:sesame\n")
    checker = find_checker({"file": f"file:{tmp_path}/users", "memory": "memory:ann:sesame"}[kind])
    assert ICredentialsChecker.providedBy(checker)
    assert await checker.requestAvatarId(Password(b"ann", b"sesame")) == b"ann"
    for user, word in ((b"ann", b"mellon"), (b"eve", b"sesame")):
        with pytest.raises(UnauthorizedLogin):
            await checker.requestAvatarId(Password(user, word))


@pytest_twisted.ensureDeferred
async def test_a_file_of_passwords_is_read_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is at each login, though the process has left the folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users").write_text("ann:sesame\n")
    checker = find_checker("file:users")
    monkeypatch.chdir("/")
    (tmp_path / "users").write_text("ann:mellon\n")
    assert await checker.requestAvatarId(Password(b"ann", b"mellon")) == b"ann"


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        ("fil:x", "Twisted knows no such way to log in: did you mean 'file'"),
        ("", "Twisted knows no such way to log in: there is file, memory"),
        ("anonymous", "it takes no name and password"),
        ("file:/nosuch/users", "there is no file /nosuch/users"),
        ("file:", "'file' requires a filename"),
        ("memory:ann:sesame:eve", "argstring must be in format"),
    ],
)
def test_who_knows_none(description: str, sentence: str, capfd: Any) -> None:
    """There is a sentence without the passwords, and nothing else is printed."""
    with pytest.raises(ValueError) as caught:  # looked at below
        find_checker(description)
    assert str(caught.value).startswith(sentence)
    assert "sesame" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
