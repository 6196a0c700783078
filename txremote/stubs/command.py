"""
`run_stubs`: the command ``txremote stubs``.

Exit status: 0 written, 2 it could not be.
"""

from __future__ import annotations

from pathlib import Path

from txremote.importing import import_longest
from txremote.printing import DONE, NOT_MADE, complain, put
from txremote.stubs.flavours import FLAVOURS
from txremote.stubs.module import module_text


def run_stubs(path: str, flavour: str, output: str | None) -> int:
    """
    Write the stubs of a class, and return the exit status.

    Args:
        path: The class's dotted name.
        flavour: The name of a flavour, or ``all``.
        output: A file; None for standard output.
    """
    try:
        declaration = _find(path)
        chosen = [each for each in FLAVOURS if flavour in (each.name, "all")]
        text = module_text(declaration, path, chosen, complain)
        if output is None:
            put(text)
        else:
            Path(output).write_text(text, "utf-8")
    except (ImportError, LookupError, AttributeError, TypeError, OSError) as problem:
        complain(str(problem.args[0] if isinstance(problem, LookupError) else problem))
        return NOT_MADE
    return DONE


def _find(path: str) -> object:
    parts = path.split(".")
    if len(parts) < 2:
        raise LookupError(f"{path!r} names no class: write pkg.mod.Class")
    found, rest = import_longest(parts, len(parts) - 1)
    thing: object = found
    for name in rest:
        try:
            thing = getattr(thing, name)
        except AttributeError:
            raise LookupError(f"{path!r}: there is no {name!r} in it") from None
    return thing
