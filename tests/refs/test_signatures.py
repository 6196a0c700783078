"""
Signatures are read whatever the hints name.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import pytest

from txremote import Service, run_async
from txremote.net.listen import ServingFactory
from txremote.refs.signatures import signature_of


def test_a_signature_binds_arguments() -> None:
    def function(a: int, *, b: str = "x") -> None:
        pass

    assert signature_of(function).bind(1, b="y").arguments == {"a": 1, "b": "y"}
    with pytest.raises(TypeError, match="missing a required argument"):
        signature_of(function).bind()


def test_what_a_decorator_passes_on_is_its_own_affair() -> None:
    def function(a: int) -> None:
        pass

    @functools.wraps(function)
    def wrapper(*args: Any) -> None:
        function(*args)

    assert list(signature_of(wrapper).parameters) == ["a"]
    assert list(signature_of(wrapper, follow_wrapped=False).parameters) == ["args"]


def test_what_does_not_tell_says_so() -> None:
    with pytest.raises((TypeError, ValueError)):
        signature_of(1)


# not by this module's own functions: its hints are texts
_LATE = """
def work(n: Nobody, callback: Nobody) -> Nobody:
    return callback(n)

class Desk(Service):
    def __init__(self, n: Nobody = 1) -> None:
        pass
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="hints are evaluated at once")
def test_hints_for_type_checkers_are_no_hindrance() -> None:
    from twisted.internet import reactor

    names: dict[str, Any] = {"Service": Service}
    exec(compile(_LATE, "late", "exec", dont_inherit=True), names)  # it is ours
    assert ServingFactory(reactor, names["Desk"]).served is names["Desk"]
    failures: list[Any] = []
    run_async(names["work"], 1, str, pool="threads:0").addErrback(failures.append)
    assert len(failures) == 1
    assert "Nobody" not in str(failures[0].value)
