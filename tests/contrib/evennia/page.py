"""
Follows the page for Evennia's users, in a real game.

A `Follower` does what ``docs/evennia.rst`` says, from top to bottom:

==============================  ==================================================================
a block of Python               is a file of the game: the one that the paragraph before it names.
                                "At the end of" a file, or "In" a class "of" a file: it is added
``code-block:: console``        each ``$`` line is run in the game's folder, and what it prints
                                compared; one that ends with ``&`` runs until the end
``code-block:: text``           each ``>`` line is typed by a player, who has to hear the lines
                                beneath it, in their order; ``...`` is anything. Without a ``>``
                                line it is heard by itself
==============================  ==================================================================

Ports that begin with 40 stand for free ones. The environment is there already, so ``pip`` is not
run again; ``evennia start`` gets the first account by variables, in place of typed answers. Each
reload takes seconds, so the second one that the page has is done with the files of all that are
still to come, and with their servers; so these have to suit what is before them. A game that is
a copy of the environment's has been made and migrated there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes

from tests.contrib.evennia import environment
from tests.contrib.evennia.game import Game, Player
from tests.document_runner import doctree
from tests.processes import Program, free_port

PORT = re.compile(r"\b40\d\d\b")
ADDED = re.compile(r"At the end of (\S+):$|In (\w+) of (\S+):$")
FILE = re.compile(r"(\S+\.py):$")


@dataclass(frozen=True)
class Step:
    """
    A block of the page.

    Attributes:
        kind: ``"python"``, ``"console"`` or ``"text"``.
        text: The block.
        before: The paragraph before it.
    """

    kind: str
    text: str
    before: str


def steps(page: Path) -> Iterator[Step]:
    """Give the blocks of a page, in their order."""
    for block in doctree(page).findall(nodes.literal_block):
        (kind,) = set(block["classes"]) - {"code"}
        place = block.parent.index(block)
        before = block.parent[place - 1].astext() if place else ""
        yield Step(kind, block.astext() + "\n", before)


class Follower:
    """
    Somebody who follows the page. Use it in a ``with``.

    Args:
        game: It does not run yet.

    Attributes:
        done: How many files were written, commands run and lines typed.
    """

    def __init__(self, game: Game) -> None:
        self.done = 0
        self._game = game
        self._ports: dict[str, str] = {}
        self._running = ExitStack()
        self._player: Player | None = None
        self._reloads = 0

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_error: object) -> None:
        self._running.close()

    def follow(self, page: Path) -> None:
        """Do what the page says."""
        found = list(steps(page))
        for number, step in enumerate(found):
            if step.kind == "python":
                if self._reloads < 2:
                    self._write(step)
            elif step.kind == "console":
                for part in re.split(r"^\$ ", step.text, flags=re.MULTILINE)[1:]:
                    command, _newline, expected = part.partition("\n")
                    if command == "evennia reload":
                        self._reload(found[number + 1 :])
                    elif command.endswith("&") and self._reloads > 1:
                        continue  # it runs already
                    else:
                        self._run(command, expected)
            else:
                self._type(step.text)

    def _reload(self, following: list[Step]) -> None:
        self._reloads += 1
        if self._reloads == 2:
            for step in following:
                if step.kind == "python":
                    self._write(step)
                elif step.text.startswith("$ twistd"):
                    self._run(step.text[2:].strip(), "")
        if self._reloads <= 2:
            self._game.reload()

    def _real(self, text: str) -> str:
        """Put free ports in the place of the page's."""

        def free(found: re.Match[str]) -> str:
            return self._ports.setdefault(found[0], str(free_port()))

        return PORT.sub(free, text)

    def _write(self, step: Step) -> None:
        self.done += 1
        text = self._real(step.text)
        added = ADDED.search(step.before)
        if added is None:
            name = FILE.search(step.before)
            assert name, f"the page does not say which file this is:\n{step.text}"
            self._game.write(name[1], text)
        elif added[1]:
            self._game.append(added[1], text)
        else:
            add_to_class(self._game.folder / added[3], added[2], text)

    def _run(self, command: str, expected: str) -> None:
        self.done += 1
        words = shlex.split(self._real(command))
        if words[-1] == "&":
            program = environment.bin(words[0])
            running = Program(
                *(program, "--pidfile=", *words[1:-1]),
                cwd=self._game.folder,
                env=environment.variables(),
            )
            self._running.callback(running.kill)
            running.wait_for("serves on")
        elif words[0] == "pip":
            return  # the environment has it
        elif words[:2] == ["evennia", "--init"]:
            if not self._game.copied:
                self._game.make(words[2])
        elif words[0] == "cd":
            assert words[2:] == ["&&", "evennia", "migrate", "&&", "evennia", "start"]
            if self._game.copied:
                self._game.start()
            else:
                self._game.launch("migrate")
                self._game.start()
                self._game.wait_for_log("restarted in 'reset' mode")  # once, by itself
        else:
            compare(command, expected, self._game.command(*words))

    def _type(self, text: str) -> None:
        player = self._player
        if player is None:
            player = self._player = self._running.enter_context(self._game.player())
        for line in text.splitlines():
            self.done += 1
            if line.startswith("> "):
                player.pass_over()
                player.type(line[2:])
            else:
                player.expect(pattern(line))


def add_to_class(file: Path, name: str, lines: str) -> None:
    """Add lines to ``at_cmdset_creation`` of a class."""
    start, head, rest = file.read_text().partition(f"class {name}(")
    call = "super().at_cmdset_creation()\n"
    before, found, after = rest.partition(call)
    assert head and found, f"no class {name} in {file}"
    indented = "".join(f"        {line}\n" if line else "\n" for line in lines.splitlines())
    file.write_text(start + head + before + found + indented + after)


def pattern(line: str) -> str:
    """Return a line of the page as a regular expression: ``...`` is anything."""
    return r".*?".join(re.escape(part) for part in line.strip().split("..."))


def compare(command: str, expected: str, printed: str) -> None:
    """Fail unless a command has printed the lines of the page."""
    wanted = "".join(rf"{pattern(line)}\s*" for line in expected.splitlines())
    assert re.search(wanted, printed), f"$ {command}\n{printed}\nis not\n{expected}"
