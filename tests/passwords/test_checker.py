"""``--auth scrypt:FILE``: the checker, and twistd with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.error import UnauthorizedLogin

from tests.processes import Twistd, run, script
from txremote.passwords import checker as module, hashes
from txremote.passwords.checker import ScryptChecker, ScryptFactory
from txremote.passwords.hashes import Parameters, hash_of
from txremote.passwords.passwordfile import set_password

CHEAP = Parameters(4, 8, 1)
DESK = """\
from txremote import Service, current_call, exposed

class Desk(Service):
    @exposed
    def who(self):
        return current_call().user
"""


class Credentials:
    """A name and a password, as `txremote.net.login` has them."""

    def __init__(self, name: str, password: str) -> None:
        self.username = name.encode()
        self.password = password.encode()


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """Return a file with a plain line and a hashed one."""
    file = tmp_path / "users"
    file.write_text("bob:plain:word\n")
    set_password(str(file), "ann", hash_of(b"sesame", CHEAP))
    return file


@pytest.fixture
def ask(users: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what asks a checker, at once and in this thread."""

    class AtOnce:
        def run(self, _loop: object, function: Any) -> Any:
            return function()

    monkeypatch.setattr(module, "THREADS", AtOnce())
    checker = ScryptChecker(str(users))
    return lambda name, word: checker.requestAvatarId(Credentials(name, word))  # type: ignore[arg-type]


def test_hashed_and_plain_lines_let_their_users_in(ask: Any, users: Path) -> None:
    """And as soon as the file has changed, the new ones."""
    assert (ask("ann", "sesame"), ask("bob", "plain:word")) == (b"ann", b"bob")
    set_password(str(users), "bob", hash_of(b"new", CHEAP))
    assert ask("bob", "new") == b"bob"
    for name, word in (("ann", "plain"), ("bob", "plain:word"), ("eve", "sesame"), ("ann", "")):
        with pytest.raises(UnauthorizedLogin):
            ask(name, word)


@pytest.mark.parametrize("name", ["ann", "bob", "nobody"])
def test_each_attempt_costs_the_same(name: str, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash with the same parameters, for a hashed line, a plain one, and nobody's."""
    made: list[Any] = []
    original = hashes._scrypt

    def counted(password: bytes, salt: bytes, parameters: Parameters, length: int) -> bytes:
        made.append((len(salt), parameters, length))
        return original(password, salt, parameters, length)

    monkeypatch.setattr(hashes, "_scrypt", counted)
    with pytest.raises(UnauthorizedLogin):
        ask(name, "wrong")
    assert made == [(16, CHEAP, 32)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "there is no file users"),
        ("ann\nbob:x\n:y\n", "line 1 of .*users has no colon.*; line 3 of .*users has no name"),
        ("", None),
    ],
)
def test_a_file_is_checked_at_the_start(
    text: str | None, why: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its wrong lines, by their numbers."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("users").write_text(text)
    if why is None:
        assert isinstance(ScryptFactory().generateChecker("users"), ScryptChecker)
        return
    with pytest.raises(ValueError, match=why):
        ScryptFactory().generateChecker("users")
    with pytest.raises(ValueError, match="it takes a file"):
        ScryptFactory().generateChecker(" ")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Serve a desk to users whom ``txremote passwd`` has written, and one in plain text."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "desk.py").write_text(DESK)
    (folder / "users").write_text("bob:open\n")
    (folder / "secret").write_text("sesame\n")
    word = "read -r word < secret; echo $word | "
    passwd = f"{script('txremote')} passwd users ann --stdin"
    assert run("sh", "-c", word + passwd, cwd=folder) == (0, "", "")
    with Twistd("desk.Desk", "--auth", "scrypt:users", cwd=folder) as server:
        yield server.endpoint, folder


def test_users_log_in_at_a_real_server(served: tuple[str, Path]) -> None:
    """By hashed and by plain lines; a wrong password is answered after the throttle's delay."""
    where, folder = served
    (folder / "bobs").write_text("open\n")
    for user, file, expected in (
        ("ann", "secret", (0, "'ann'\n", "")),
        ("bob", "bobs", (0, "'bob'\n", "")),
        ("eve", "bobs", None),
        ("ann", "secret", (0, "'ann'\n", "")),  # which has waited for eve's delay
    ):
        words = ["call", where, "--login", user, "--password-file", file, "who"]
        answer = run(script("txremote"), *words, cwd=folder)
        if expected is None:
            assert (answer[0], "wrong user or password" in answer[2]) == (2, True)
        else:
            assert answer == expected


def test_check_tells_of_wrong_lines(served: tuple[str, Path]) -> None:
    """With the number of each, and without what stands there."""
    _where, folder = served
    (folder / "wrong").write_text("ann:x\nsecret\n")
    (folder / "site.toml").write_text('[[server]]\nservice = "desk.Desk"\nauth = "scrypt:wrong"\n')
    status, _out, err = run(script("txremote"), "check", "site.toml", cwd=folder)
    assert status == 1
    assert f"line 2 of {folder}/wrong has no colon" in err.replace("/private", "")
    assert "secret" not in err
