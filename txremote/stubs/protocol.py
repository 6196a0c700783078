"""
`ProtocolWriter`: one class, for one flavour, as the text of a Protocol.

The text is as a formatter would leave it. Defaults are written ``...``, as in any stub: what they
are is the server's affair.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from inspect import Parameter

from txremote.stubs.annotations import Annotations
from txremote.stubs.type_checking import names_for_checkers
from txremote.views.members import Member

WIDTH = 88  # of a line, as formatters have it by default

_INDENT = "    "
_STARS: dict[object, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
_ANYTHING = (
    Parameter("args", Parameter.VAR_POSITIONAL),
    Parameter("kwargs", Parameter.VAR_KEYWORD),
)


class ProtocolWriter:
    """
    Writes Protocols for one flavour.

    Args:
        annotations: How annotations are written.
        complain: Called with a sentence for each annotation that means nothing.
    """

    def __init__(self, annotations: Annotations, complain: Callable[[str], object]) -> None:
        self._annotations = annotations
        self._complain = complain

    def text(self, name: str, about: str, members: Iterable[Member]) -> str:
        """Return a class, without a line's end after it."""
        parts = [f'class {name}(Protocol):\n{_INDENT}"""{about}"""']
        for member in members:
            if member.kind == "attribute":
                parts.append(self._property(member))
            elif member.overloads:
                parts += [f"{_INDENT}@overload\n{self._method(each)}" for each in member.overloads]
            else:
                parts.append(self._method(member))
        return "\n\n".join(parts)

    def _property(self, member: Member) -> str:
        read = self._annotations.read(
            self._part(member, member.returns, self._annotations.result, "is")
        )
        head = f"{_INDENT}@property\n{_INDENT}def {member.name}(self) -> {read}:"
        return head + _body(member.doc)

    def _method(self, member: Member) -> str:
        if member.kind == "class":
            result = self._annotations.result(member.value)
        else:
            result = self._part(member, member.returns, self._annotations.result, "returns")
        called = self._annotations.called(result)
        parameters = _ANYTHING if member.parameters is None else member.parameters
        words = ["self", *self._parameters(member, parameters)]
        line = f"{_INDENT}def {member.name}({', '.join(words)}) -> {called}:"
        if len(line) > WIDTH - (0 if member.doc else 4):
            lines = "".join(f"{_INDENT * 2}{word},\n" for word in words)
            line = f"{_INDENT}def {member.name}(\n{lines}{_INDENT}) -> {called}:"
        return line + _body(member.doc)

    def _parameters(self, member: Member, parameters: tuple[Parameter, ...]) -> list[str]:
        words = []
        before: object = Parameter.POSITIONAL_OR_KEYWORD
        for parameter in parameters:
            kind = parameter.kind
            if before is Parameter.POSITIONAL_ONLY and kind is not before:
                words.append("/")
            if kind is Parameter.KEYWORD_ONLY and before not in (kind, Parameter.VAR_POSITIONAL):
                words.append("*")
            before = kind
            stars = _STARS.get(kind, "")
            text = self._part(member, parameter.annotation, self._annotations.text, parameter.name)
            default = "" if parameter.default is Parameter.empty else " = ..."
            words.append(f"{stars}{parameter.name}: {text}{default}")
        if before is Parameter.POSITIONAL_ONLY:
            words.append("/")
        return words

    def _part(
        self, member: Member, annotation: object, write: Callable[[object], str], what: str
    ) -> str:
        if annotation is Parameter.empty:
            return self._annotations.any()
        try:
            meant = _meant(member, annotation)
        except Exception as problem:  # annotations are code
            self._complain(
                f"{member.owner.__module__}.{member.owner.__name__}.{member.name}: "
                f"the annotation of {what!r} cannot be resolved ({problem}); it is written Any"
            )
            return self._annotations.any()
        return write(meant)


def _meant(member: Member, annotation: object) -> object:
    """Return what an annotation means, also by names that are for type checkers only."""
    try:
        return member.resolve(annotation)
    except NameError:
        return member.resolve(annotation, names_for_checkers(member.owner.__module__))


def _body(doc: str | None) -> str:
    """Return what follows a def's colon."""
    if not doc:
        return " ..."
    text = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text = f'{text[:-1]}\\"'
    if "\n" in text:
        text += "\n"
    quoted = textwrap.indent(f'"""{text}', _INDENT * 2)
    end = _INDENT * 2 if "\n" in text else ""
    return f'\n{quoted}{end}"""\n{_INDENT * 2}...'  # pyright wants it
