"""``txremote completion``: its scripts, in the shells that they are for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from txremote.cli import commands, main

# prints what bash offers for the words behind $0, of which the last one is being typed
IN_BASH = """
eval "$(cat "$SCRIPT")"
COMP_WORDS=(txremote "$@")
COMP_CWORD=$#
[[ $(complete -p txremote) =~ -F\\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" txremote "${@: -1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
IN_FISH = 'source $SCRIPT; complete --do-complete "txremote $argv"'
# zsh completes at a terminal only; what it has noted is what it would call
IN_ZSH = 'autoload -Uz compinit; compinit -D; eval "$(cat $SCRIPT)"; whence -w $_comps[txremote]'


def completed(
    shell: str, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Return what a shell offers for some words."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    pytest.importorskip("shtab", reason="shtab is not installed (extra completion)")
    assert main(["completion", shell]) == 0
    script = folder / "script"
    script.write_text(capsys.readouterr().out)
    subprocess.run([shell, "-n", script], check=True)
    typed = words.split(" ")
    run = {
        "bash": ["bash", "--norc", "-c", IN_BASH, "bash", *typed],
        "fish": ["fish", "--no-config", "-c", IN_FISH, words],
        "zsh": ["zsh", "-f", "-c", IN_ZSH],
    }[shell]
    surroundings = {"SCRIPT": str(script), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        run, cwd=folder, env=surroundings, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("he", ["health"]),
        ("health --ins", ["--insecure"]),
        ("stubs --for a", ["all", "asyncio"]),
        ("tasks localhost out", ["output"]),
        ("check serv", ["server.toml"]),
        ("call localhost --ca serv", ["server.toml"]),
    ],
)
def test_a_shell_completes(
    shell: str,
    words: str,
    offered: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Commands, options, their values, the actions of a command, and files."""
    (tmp_path / "server.toml").touch()
    assert sorted(completed(shell, words, tmp_path, capsys)) == offered


def test_all_commands_are_offered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before a letter of one is typed."""
    assert set(completed("bash", "", tmp_path, capsys)) >= {row.name for row in commands()}


def test_zsh_knows_a_function_for_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script is one that zsh reads, from a file and by eval."""
    [line] = completed("zsh", "", tmp_path, capsys)
    assert line.endswith(": function")


def test_without_shtab_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "txremote: completion needs shtab: pip install 'txremote[completion]'\n"
