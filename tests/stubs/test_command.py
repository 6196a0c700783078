"""
``txremote stubs``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stubs import shop
from txremote.cli import main
from txremote.stubs.flavours import FLAVOURS
from txremote.stubs.module import module_text

PATH = "tests.stubs.shop.Shelf"


def test_it_prints_all_flavours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stubs", PATH]) == 0
    assert capsys.readouterr().out == module_text(shop.Shelf, PATH)


def test_it_writes_a_file_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "stubs.py"
    assert main(["stubs", PATH, "-o", str(file), "--for", "scripts"]) == 0
    assert file.read_text("utf-8") == module_text(shop.Shelf, PATH, FLAVOURS[2:])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("shop", "'shop' names no class: write pkg.mod.Class"),
        ("tests.stubs.shop.Shops", "'tests.stubs.shop.Shops': there is no 'Shops' in it"),
        ("nowhere.Shop", "no module 'nowhere', installed or in the working directory"),
        ("tests.stubs.shop.Secret", "Secret declares no names: mark them with @exposed"),
        ("tests.stubs.shop.T", "is no class: give a Service"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    path: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stubs", path]) == 2
    told = capsys.readouterr().err
    assert told.startswith("txremote: ")
    assert sentence in told
    assert told.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stubs", PATH, "-o", str(tmp_path / "none" / "x.py")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_an_annotation_that_means_nothing_is_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["stubs", "tests.stubs.shop.Lost", "--for", "scripts"]) == 0
    told = capsys.readouterr()
    assert "def lost(self, way: Any) -> int: ..." in told.out
    assert told.err.startswith("txremote: tests.stubs.shop.Lost.lost: the annotation of 'way'")
