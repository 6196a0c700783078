"""
One class as one Protocol.
"""

from __future__ import annotations

import ast

import pytest

from txremote import Service, exposed
from txremote.stubs.flavours import FLAVOURS
from txremote.stubs.module import module_text

SCRIPTS = FLAVOURS[-1]


class Odd(Service):
    @exposed
    def nothing(self) -> None:
        '''Ends with "quotes"'''

    @exposed
    def kinds(self, a: int, /, b: int, *, c: int = 1) -> None:
        """
        Has all kinds of parameters.

            Indented.
        """

    @exposed
    def only(self, a: int, /) -> None: ...

    @exposed
    def rest(self, *args: int, c: int, **kwargs: str) -> None: ...

    exposed_length = len
    exposed_unknown = type


TEXT = module_text(Odd, "x.Odd", [SCRIPTS])


@pytest.mark.parametrize(
    "expected",
    [
        'def nothing(self) -> None:\n        """Ends with "quotes\\""""\n        ...',
        "def kinds(self, a: int, /, b: int, *, c: int = ...) -> None:\n"
        '        """Has all kinds of parameters.\n\n            Indented.\n'
        '        """\n        ...',
        "def only(self, a: int, /) -> None: ...",
        "def rest(self, *args: int, c: int, **kwargs: str) -> None: ...",
        "def length(self, obj: Any, /) -> Any:",
    ],
)
def test_methods_are_written_as_they_are_called(expected: str) -> None:
    assert expected in TEXT
    ast.parse(TEXT)


def test_what_has_no_signature_takes_anything() -> None:
    assert "def unknown(self, *args: Any, **kwargs: Any) ->" in TEXT


def test_a_long_line_is_split() -> None:
    class Long(Service):
        @exposed
        def method(self, first_of_all: int, second_of_all: int, third_of_all: int) -> int: ...  # type: ignore[empty-body]

    assert (
        "    def method(\n        self,\n        first_of_all: int,\n        second_of_all: int,\n"
        "        third_of_all: int,\n    ) -> int: ..."
    ) in module_text(Long, "x.Long", [SCRIPTS])
