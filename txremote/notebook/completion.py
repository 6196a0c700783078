"""
`RemoteMatcher`: completes the names of remote objects, and of their methods' arguments.

It is one of IPython's matchers, and runs in the kernel's thread: what is not known yet
(`txremote.notebook.known`) is asked for, and there at the next key.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from txremote.notebook.known import Description, Knowledge, current_reference
from txremote.notebook.scope import reached

# names and constant keys with dots between them, at the end of a text
_CHAIN = r"""[^\W\d]\w*(?:\.\w+|\[-?\d+\]|\["[^"\\\[\]]*"\]|\['[^'\\\[\]]*'\])*"""
_DOTTED = re.compile(rf"({_CHAIN})\.(\w*)$")
#: The call that is open last.
_CALLED = re.compile(rf"({_CHAIN})\(((?:[^()]|\([^()]*\))*)$")
_WORD = re.compile(r"(?:^|[(,]\s*)(\w*)$")

_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_LONGEST_LINE = 500

# IPython's own matcher that analyses the code: for the arguments of a remote method it would read
# this package's source, for seconds, and find nothing
_JEDI = "IPCompleter.jedi_matcher"


class RemoteMatcher:
    """
    Finds completions.

    Args:
        knowledge: The names that are known of remote objects.
        names: Gives the names that are in scope.
    """

    def __init__(self, knowledge: Knowledge, names: Callable[[], Mapping[str, object]]) -> None:
        self._knowledge = knowledge
        self._names = names

    def attributes(self, text: str) -> tuple[str, Description] | None:
        """Return the word that is begun, and the remote object that it is a name of."""
        dotted = _DOTTED.search(text[-_LONGEST_LINE:])
        owner = None if dotted is None else self._reach(dotted[1])
        if dotted is None or current_reference(owner) is None or not _is_reference(owner):
            return None
        known = self._knowledge.of(owner)
        if known is None:
            self._knowledge.ask(owner)
            return None
        return dotted[2], known

    def keywords(self, text: str) -> tuple[str, list[str]]:
        """Return the word that is begun, and the names of arguments, each with its ``=``."""
        called = _CALLED.search(text[-_LONGEST_LINE:])
        word = None if called is None else _WORD.search(called[2])
        if called is None or word is None:
            return "", []
        method = self._knowledge.method(self._reach(called[1]))
        if method is None or method.signature is None:
            return "", []
        parameters = method.signature.parameters.values()
        return word[1], [f"{each.name}=" for each in parameters if each.kind in _BY_NAME]

    def _in_scope(self, word: str) -> list[str]:
        """Return the names that an argument may begin with."""
        names = {*vars(builtins), *self._names()} if word else set()
        return sorted([name for name in names if name[:1] != "_"])

    def _reach(self, expression: str) -> object:
        try:
            return reached(expression, self._names())
        except LookupError:
            return None

    def matcher(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        """Return this as IPython takes it."""

        @context_matcher(identifier="txremote")  # type: ignore[untyped-decorator]
        def remote_names(context: CompletionContext) -> SimpleMatcherResult:
            text = context.text_until_cursor
            found = self.attributes(text)
            if found is None:
                word, names = self.keywords(text)
                others = self._in_scope(word) if names else []
                return _result(word, (names, "param"), (others, "instance"), suppress={_JEDI})
            word, known = found
            methods = [name for name in known.names if name in known.methods]
            others = [name for name in known.names if name not in known.methods]
            return _result(word, (methods, "function"), (others, "instance"), suppress=True)

        return remote_names  # type: ignore[no-any-return]


def _is_reference(owner: object) -> bool:
    """Tell whether a name after the dot is the remote object's, not a connection's."""
    return hasattr(type(owner), "callRemote")


def _result(
    word: str, *found: tuple[Iterable[str], str], suppress: bool | set[str]
) -> SimpleMatcherResult:
    """Return names that begin with a word, each with what it is, as IPython takes them."""
    completions = [
        SimpleCompletion(name, type=kind)
        for names, kind in found
        for name in names
        if name.startswith(word)
    ]
    return {"completions": completions, "matched_fragment": word, "suppress": suppress}
