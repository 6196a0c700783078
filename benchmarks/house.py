"""
The house in figures: ``python benchmarks/house.py [TREE]``.

TREE is a checkout of txremote, this one if none is named. The same command measures an old tree and
a new one, so what a redesign has changed is two outputs beside each other. Nothing here is fast or
slow; that is `benchmarks.compare`'s matter.

* From the source, which is parsed and not imported: lines by kind, long functions and files, `Any`,
  circles of imports. A line is of one kind: code if any code is in it, then docstring, comment or
  blank. A room is a folder of the package. A function's length is that of its body without its
  docstring; so a long explanation makes no long function. Imports for types only and those within
  functions count like any other.
* From a run: the calls and files that one request passes (`benchmarks.house_trips`), in a process
  of its own and a copy of the tree, so that nothing is written there.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

# What is called long.
FUNCTION_LINES, CLASS_METHODS, FILE_LINES = 40, 20, 400

KINDS = ("code", "docstring", "comment", "blank")
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    tokenize.ENDMARKER,
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (ast.Module, ast.ClassDef, *_FUNCTIONS)

_RIDDLE = re.compile(r"(?:\A|[.!?:]\S*\s|\n\s*\n|[*-]\s)\s*(?:Who|Whoever|What|Whose)\b")
_NEXT_SENTENCE = re.compile(r"[.!?]\s+\S")


@dataclass(frozen=True)
class Source:
    """
    One file of a tree.

    Attributes:
        path: Where it is, from the package's folder.
        text: What is in it.
    """

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All of it, for those who look for something: a walk takes long, and many look."""
        return list(ast.walk(self.tree))

    @cached_property
    def docstrings(self) -> list[ast.Constant]:
        """The docstrings of the module, its classes and functions."""
        return [
            found
            for node in self.nodes
            if isinstance(node, _DOCUMENTED) and (found := docstring_of(node)) is not None
        ]

    @cached_property
    def lines(self) -> Counter[str]:
        """How many lines it has of each kind."""
        documented = {line for each in self.docstrings for line in lines_of(each)}
        code: set[int] = set()
        comments: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                comments.add(token.start[0])
            elif token.type not in _NO_CODE:
                code.update(range(token.start[0], token.end[0] + 1))
        code -= documented
        comments -= code | documented
        every = len(self.text.splitlines())
        counts = Counter(code=len(code), docstring=len(documented), comment=len(comments))
        counts["blank"] = every - counts.total()
        return counts

    @property
    def room(self) -> str:
        """The folder it is in, or ``(root)``."""
        return self.path.parts[0] if len(self.path.parts) > 1 else "(root)"

    @property
    def module(self) -> str:
        """Its dotted name, without the package's: "" for the package itself."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(folder: Path) -> list[Source]:
    """Read all Python files below a folder."""
    return [
        Source(path.relative_to(folder), path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.py"))
    ]


# --- what is counted --------------------------------------------------------------


def docstring_of(node: ast.AST) -> ast.Constant | None:
    """Return a module's, class's or function's docstring."""
    body: list[ast.stmt] = getattr(node, "body", [])
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        return body[0].value if isinstance(body[0].value.value, str) else None
    return None


def lines_of(node: ast.expr | ast.stmt) -> range:
    """Return the numbers of the lines that a node is in."""
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def code_lines(files: Iterable[Source]) -> int:
    """Count lines of code."""
    return sum(file.lines["code"] for file in files)


def any_names(files: Iterable[Source]) -> int:
    """Count the uses of `typing.Any`, in annotations and elsewhere, imports aside."""
    return sum(
        (isinstance(node, ast.Name) and node.id == "Any")
        or (isinstance(node, ast.Attribute) and node.attr == "Any")
        for file in files
        for node in file.nodes
    )


def any_per_hundred(files: Sequence[Source]) -> float:
    """Return how many uses of `Any` there are in 100 lines of code."""
    return 100 * any_names(files) / max(code_lines(files), 1)


def type_ignores(files: Iterable[Source]) -> int:
    """Count the comments that silence the type checker."""
    return sum(
        token.type == tokenize.COMMENT and "type: ignore" in token.string
        for file in files
        for token in tokenize.generate_tokens(io.StringIO(file.text).readline)
    )


def casts(files: Iterable[Source]) -> int:
    """Count the calls of `typing.cast`."""
    return sum(
        isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "cast"
        for file in files
        for node in file.nodes
    )


def functions(file: Source) -> Iterator[tuple[str, int]]:
    """Give a file's functions, methods and inner ones too, and how long they are."""
    for node in file.nodes:
        if isinstance(node, _FUNCTIONS):
            first = docstring_of(node)
            unsaid = len(lines_of(first)) if first is not None else 0
            yield f"{file.path}:{node.name}", len(lines_of(node)) - unsaid


def classes(file: Source) -> Iterator[tuple[str, int]]:
    """Give a file's classes, and how many methods they have."""
    for node in file.nodes:
        if isinstance(node, ast.ClassDef):
            yield f"{file.path}:{node.name}", sum(isinstance(s, _FUNCTIONS) for s in node.body)


def riddles(files: Iterable[Source]) -> int:
    """Count the sentences in docstrings that begin with Who, Whoever, What or Whose."""
    return sum(len(_RIDDLE.findall(str(each.value))) for file in files for each in file.docstrings)


def spread_sentences(files: Iterable[Source]) -> int:
    """Count the docstrings of one sentence on three lines."""
    return sum(
        len(lines_of(each)) == 3
        and len(str(each.value).strip().splitlines()) == 1
        and not _NEXT_SENTENCE.search(str(each.value).strip())
        for file in files
        for each in file.docstrings
    )


# --- imports ------------------------------------------------------------------------


def imports(files: Sequence[Source], package: str = "txremote") -> dict[str, set[str]]:
    """Return which of the package's modules each one imports, wherever the import stands."""
    known = {file.module for file in files}
    graph: dict[str, set[str]] = {}
    for file in files:
        own = [package, *filter(None, file.module.split("."))]
        targets = set()
        for node in file.nodes:
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                up = own[: len(own) - node.level + (file.path.name == "__init__.py")]
                base = ".".join([*(up if node.level else []), *filter(None, [node.module])])
                targets |= {f"{base}.{alias.name}" for alias in node.names}
        ours = {name.partition(".")[2] for name in targets if name.split(".")[0] == package}
        reached = {name if name in known else name.rpartition(".")[0] for name in ours}
        graph[file.module] = (reached & known) - {file.module}
    return graph


def rooms(graph: dict[str, set[str]], files: Sequence[Source]) -> dict[str, set[str]]:
    """
    Return the imports between rooms.

    A file of the root is a room of its own here: some are imported by all others,
    and some import all of them. So is a package itself, which shows what is in
    other rooms.
    """
    shows = {file.module for file in files if file.path.name == "__init__.py"}
    room = {name: f"{name}/__init__" if name in shows else name.split(".")[0] for name in graph}
    found: dict[str, set[str]] = {name: set() for name in room.values()}
    for name, targets in graph.items():
        found[room[name]] |= {room[target] for target in targets} - {room[name]}
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the largest sets in which each module reaches all others of its set."""
    reached = {name: reach(graph, name) for name in graph}
    found = {
        tuple(sorted(other for other in reached[name] if name in reached[other])) for name in graph
    }
    return sorted(list(circle) for circle in found if len(circle) > 1)


def reach(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return what can be reached from a module."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for target in graph.get(ahead.pop(), set()) - seen:
            seen.add(target)
            ahead.append(target)
    return seen


# --- what is printed ----------------------------------------------------------------


def source_report(tree: Path) -> Iterator[str]:
    """Give the lines that the source has to say."""
    package = sources(tree / "txremote")
    yield from table_of_lines(package)
    for folder in ("tests", "examples", "benchmarks"):
        lines = sum((file.lines for file in sources(tree / folder)), Counter[str]())
        yield f"{folder}: {', '.join(f'{lines[kind]} {kind}' for kind in KINDS)}, {lines.total()}"
    pages = [path.read_text("utf-8") for path in sorted((tree / "docs").rglob("*.rst"))]
    length = sum(len(page.splitlines()) for page in pages)
    yield f"docs: {len(pages)} pages, {length} lines, {sum(len(p.split()) for p in pages)} words"
    yield ""
    lengths = sorted(length for file in package for _name, length in functions(file))
    tenth = lengths[len(lengths) * 9 // 10]
    yield (
        f"functions: {len(lengths)}; median {statistics.median(lengths):g} lines, "
        f"90 % under {tenth + 1}, longest {lengths[-1]}"
    )
    yield from longest("functions", FUNCTION_LINES, "lines", each(functions, package))
    yield from longest("classes", CLASS_METHODS, "methods", each(classes, package))
    yield from longest(
        "files", FILE_LINES, "lines", [(str(file.path), file.lines.total()) for file in package]
    )
    yield f"type: ignore: {type_ignores(package)}; cast: {casts(package)}"
    yield f"docstrings' sentences that begin with Who, Whoever, What, Whose: {riddles(package)}"
    yield f"docstrings of one sentence on three lines: {spread_sentences(package)}"
    graph = imports(package)
    yield from told_circles("modules", circles(graph))
    yield from told_circles("rooms", circles(rooms(graph, package)))


def table_of_lines(package: Sequence[Source]) -> Iterator[str]:
    """Give the table of lines and of `Any`, by room."""
    heads = ("files", *KINDS, "total", "Any", "per 100")
    yield f"{'txremote/':<12}" + "".join(f"{head:>10}" for head in heads)
    for room in [*sorted({file.room for file in package}), "all"]:
        files = [file for file in package if room in (file.room, "all")]
        lines = sum((file.lines for file in files), Counter[str]())
        row = [len(files), *(lines[kind] for kind in KINDS), lines.total(), any_names(files)]
        yield f"{room:<12}" + "".join(f"{n:>10}" for n in row) + f"{any_per_hundred(files):>10.1f}"


def each(
    count: Callable[[Source], Iterable[tuple[str, int]]], files: Iterable[Source]
) -> list[tuple[str, int]]:
    """Return what a function counts in each of some files."""
    return [found for file in files for found in count(file)]


def longest(what: str, most: int, unit: str, found: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Give how many exceed a length, and their names."""
    long = sorted((pair for pair in found if pair[1] > most), key=lambda pair: -pair[1])
    yield f"{what} over {most} {unit}: {len(long)}"
    yield from (f"    {size:>5}  {name}" for name, size in long)


def told_circles(what: str, found: Sequence[Sequence[str]]) -> Iterator[str]:
    """Give how many circles there are, and what is in them."""
    yield f"circles of {what}, imports for types counted: {len(found)}"
    yield from (f"    {len(circle):>5}  {', '.join(circle)}" for circle in found)


def trips_report(tree: Path, *, path: bool) -> Iterator[str]:
    """
    Give the lines that a run has to say.

    Args:
        tree: The checkout.
        path: Whether to name each call.
    """
    yield f"{'a trip':<52}{'calls':>8}{'files':>8}{'moves':>8}"
    for name, trip in run_trips(tree).items():
        if isinstance(trip, str):
            yield f"{name}: could not be made: {trip}"
            continue
        rounds = trip["rounds"]
        yield f"{name:<52}" + "".join(f"{rounds[-1][n]:>8}" for n in ("calls", "files", "moves"))
        if any(other != rounds[-1] for other in rounds):
            yield f"    not the same each time: {rounds}"
        if path:
            yield from (f"    {file} {function}" for file, function in trip["steps"])


def run_trips(tree: Path) -> dict[str, Any]:
    """Run `benchmarks.house_trips` on a copy of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("txremote", "twisted"):
            shutil.copytree(
                tree / part, Path(folder, part), ignore=shutil.ignore_patterns("*.pyc", "*.cache")
            )
        ran = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("house_trips.py"))],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            stdout=subprocess.PIPE,
            check=True,
            timeout=120,
        )
    trips: dict[str, Any] = json.loads(ran.stdout)
    return trips


def main(argv: Sequence[str] | None = None) -> None:
    """Print all figures of a tree."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/house.py", description="The figures of a checkout of txremote."
    )
    parser.add_argument("tree", nargs="?", type=Path, default=ROOT, help="its folder (this one)")
    parser.add_argument("--path", action="store_true", help="name each call of each trip")
    options = parser.parse_args(argv)
    for line in (*source_report(options.tree), "", *trips_report(options.tree, path=options.path)):
        print(line)


if __name__ == "__main__":
    main()
