"""
`module_text`: a module of Protocols, for a class and for those that it leads to.

A class leads to the classes that it exposes, and to those in its annotations that expose names.
Each has a Protocol for each flavour, named by the flavour and by the class: ``ReactorShop``,
``AsyncioShop``, ``ScriptShop``. The text depends on the class alone, so that the same
class gives the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from txremote.stubs.annotations import Annotations, Imports
from txremote.stubs.flavours import FLAVOURS, Flavour
from txremote.stubs.protocol import ProtocolWriter
from txremote.views.members import members_of


def module_text(
    declaration: object,
    path: str,
    flavours: Iterable[Flavour] = FLAVOURS,
    complain: Callable[[str], None] = lambda _sentence: None,
) -> str:
    """
    Return the source of a module of Protocols.

    Args:
        declaration: A class that exposes names, a ``Protocol`` or a zope interface.
        path: Its dotted name, for the module's docstring.
        flavours: For whom.
        complain: Called with a sentence for each annotation that means nothing.

    Raises:
        TypeError: it declares no names, or a type in it cannot be imported.
    """
    members_of(declaration)
    complained: dict[str, None] = {}  # once for all flavours
    imports = Imports()
    imports.name("typing", "Protocol")
    variables: dict[str, str] = {}
    classes = [
        text
        for flavour in flavours
        for text in _classes(declaration, flavour, imports, variables, complained.setdefault)
    ]
    for sentence in complained:
        complain(sentence)
    head = (
        f'"""\nWhat a type checker knows of {path} at the other end of a connection.\n\n'
        f'Written by ``txremote stubs {path}``, and not by hand.\n"""\n\n'
        f"from __future__ import annotations\n\n{imports.text(path.partition('.')[0])}\n"
    )
    if variables:
        head += "\n" + "\n".join(variables[name] for name in sorted(variables)) + "\n"
    return head + "".join(f"\n\n{text}\n" for text in classes)


def _classes(
    declaration: object,
    flavour: Flavour,
    imports: Imports,
    variables: dict[str, str],
    complain: Callable[[str], object],
) -> Iterator[str]:
    names: dict[object, str] = {}

    def view(kind: object) -> str:
        name = names.get(kind)
        if name is None:
            qualname: str = getattr(kind, "__qualname__", "") or getattr(kind, "__name__", "")
            name = flavour.prefix + qualname.rpartition("<locals>.")[2].replace(".", "")
            while name in names.values():
                name += "_"
            names[kind] = name
        return name

    view(declaration)
    done = 0
    while done < len(names):
        kind, name = list(names.items())[done]
        done += 1
        annotations = Annotations(flavour, imports, view, kind)
        members = [each for name, each in members_of(kind).items() if name[:1] != "_"]
        if any(member.overloads for member in members):
            imports.name("typing", "overload")
        about = f"{getattr(kind, '__name__', kind)}, called {flavour.about}."
        yield ProtocolWriter(annotations, complain).text(name, about, members)
        variables.update(annotations.type_variables())
