"""``demo``, ``check`` and ``stubs``: the word reaches the function that does the work."""

from __future__ import annotations

import importlib

import pytest

from txremote.cli import main


@pytest.mark.parametrize(
    ("line", "function", "arguments"),
    [
        ("demo", "txremote.demo.run_demo", ()),
        ("check site.toml", "txremote.daemon.check.run_check", ("site.toml",)),
        ("stubs a.B --for all", "txremote.stubs.command.run_stubs", ("a.B", "all", None)),
    ],
)
def test_a_command_does_its_work_and_gives_its_status(
    line: str, function: str, arguments: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The functions have tests of their own."""
    given: list[object] = []
    where, _dot, name = function.rpartition(".")

    def work(*args: object, **_options: object) -> int:
        given.extend(args)
        return 7

    monkeypatch.setattr(importlib.import_module(where), name, work)
    assert main(line.split()) == 7
    assert tuple(given[: len(arguments)]) == arguments
