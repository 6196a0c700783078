"""
The messages that the pages quote are those of the code: of errors, and of the log.

What a page has its reader type is run elsewhere (``tests/test_docs.py`` and its like), and its
output compared. Here is the rest: a message within a sentence, a part of the log that is shown.
It has to be a text of the sources, with anything in the place of what is filled in; but if that
is a sentence too, it has to be a text of the sources again.
"""

from __future__ import annotations

import ast
import builtins
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils import nodes

from tests.document_runner import doctree
from tests.processes import ROOT
from txremote import errors

PAGES = [
    *(ROOT / f"{name}.rst" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.rst")),
]

# Their blocks of text are typed: by tests/contrib/evennia and by tests/notebook.
TYPED = {"evennia.rst", "notebooks.rst"}

# Messages that come from others.
OF_OTHERS = {
    "tuple index out of range": "Python",
    "'str' object has no attribute '____conn__'": "Python, in RPyC",
    "Could not load plugin module None": "Evennia",
}

FILLED = re.compile(r"\{[^{}]*\}|%[srd]")  # in a text for the log, for format() or for %
WORD = re.compile(r"(?<![\w./-])[A-Za-z]{2,}(?![\w/-]|\.\w)")
# A sentence has one of these, a list of names has not.
SMALL = {*"a an and are as at by for from got has in is it no not of on than the to was".split()}
NO_PROSE = re.compile(r"^[%<]|[\[~][A-Za-z]|\N{BOX DRAWINGS LIGHT HORIZONTAL}")
RAISED = re.compile(r"(?:[\w.]+\.)?([A-Z]\w+): (.+)")
JOINTS = re.compile(r": |, | \(")
ENDS = " :,;.()"  # what a text may have at its ends, beside what it says


def fixed_parts(node: ast.AST) -> list[str]:
    """Return the parts of a text in a source between which something is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return FILLED.split(text)
        case ast.JoinedStr(values=values):
            return joined(fixed_parts(value) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return joined(fixed_parts(side) for side in (left, right))
    return ["", ""]


def joined(texts: Iterator[list[str]]) -> list[str]:
    """Return the parts of texts that stand one behind the other."""
    parts = [""]
    for first, *others in texts:
        parts[-1] += first
        parts += others
    return parts


@functools.cache
def templates() -> list[tuple[str, re.Pattern[str]]]:
    """Return the texts of the sources that say something, longest first, each with a part of it."""
    found = set()
    for path in (ROOT / "txremote").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = "\0".join(fixed_parts(node)).strip(ENDS)
            if len(WORD.findall(text)) >= 2:
                found.add(tuple(text.split("\0")))
    return [
        (max(parts, key=len), re.compile("(.*?)".join(map(re.escape, parts))))
        for parts in sorted(found, key=lambda parts: (-len("".join(parts)), parts))
    ]


@functools.cache
def is_said(text: str, free: int = 2) -> bool:
    """Tell whether a text is made of texts of the sources, but for so many words, and numbers."""
    text = text.replace("...", "\N{HORIZONTAL ELLIPSIS}").strip(ENDS)
    if len(WORD.findall(text)) <= free or text in OF_OTHERS:
        return True
    for part, template in templates():
        found = template.fullmatch(text) if part in text else None
        if found and all(map(is_said, found.groups())):
            return True
    return any(
        is_said(text[: joint.start()], 1) and is_said(text[joint.end() :], 1)
        for joint in JOINTS.finditer(text)
    )


def message_of(text: str) -> str | None:
    """Return what follows the name of an exception, in a text such as ``TypeError: no such``."""
    raised = RAISED.fullmatch(text)
    kind = raised and getattr(errors, raised[1], getattr(builtins, raised[1], None))
    is_one = isinstance(kind, type) and issubclass(kind, BaseException)
    return raised[2] if raised and is_one else None


def is_code(text: str) -> bool:
    """Tell whether a text is Python, or the head of a statement."""
    for tried in (text, f"{text.removesuffix(':')}: pass"):
        try:
            ast.parse(tried)
        except SyntaxError:
            continue
        return True
    return False


def is_prose(text: str) -> bool:
    """Tell whether a text is a sentence, and not code, a command or a drawing."""
    says = len(WORD.findall(text)) > 2 and SMALL.intersection(text.split())
    return bool(says) and not NO_PROSE.search(text) and not is_code(text)


def in_block(page: Path, block: nodes.literal_block) -> Iterator[str]:
    """Give the messages of a block that is shown and not typed."""
    kinds = {*block["classes"]} - {"code"}
    if block["names"] or page.name in TYPED:
        return
    if kinds == {"json"}:
        yield from filter(is_prose, map(str, json.loads(block.astext()).values()))
    elif kinds <= {"text"} and not is_code(block.astext()):
        yield from filter(is_prose, block.astext().splitlines())


def quoted(page: Path) -> list[str]:
    """Return the messages that a page quotes."""
    tree = doctree(page)
    literals = [" ".join(literal.astext().split()) for literal in tree.findall(nodes.literal)]
    found = [message_of(text) or text for text in literals if message_of(text) or is_prose(text)]
    for block in tree.findall(nodes.literal_block):
        found += in_block(page, block)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_message_that_a_page_quotes_is_one_of_the_code(page: Path) -> None:
    """Word by word, but for names and numbers."""
    assert [text for text in quoted(page) if not is_said(text)] == []


@pytest.mark.parametrize(
    ("word", "other"),
    [("left after", "went after"), ("unused for", "idle for"), ("option", "limit")],
)
def test_a_message_of_other_words_is_none_of_the_code(word: str, other: str) -> None:
    """Neither in a line of the log, nor in what is filled in there."""
    line = "ann at ::1 left after 9.0 s, 2 requests: unused for 9 s (option idle_timeout)"
    assert is_said(line)
    assert not is_said(line.replace(word, other))


def test_messages_are_found_wherever_a_page_has_them(tmp_path: Path) -> None:
    """In a sentence, by the name of their class or without, and in what is shown of a log."""
    page = tmp_path / "page.rst"
    page.write_text(
        "It raises ``NotSendable: no such thing``, or ``ann has no bow`` is logged::\n\n"
        "    bob left for good at noon\n\n"
        "Not ``ann bob cid``, nor ``not ann``, nor::\n\n"
        "    for ann in bob: print(ann)\n"
    )
    assert quoted(page) == ["no such thing", "ann has no bow", "bob left for good at noon"]
