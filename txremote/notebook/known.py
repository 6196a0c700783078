"""
`Knowledge`: the names, signatures and docstrings of remote objects, as their owners describe them.

Completion and ``?`` have to answer at once, so they look here, and send nothing. A reference that
a cell leaves in a name is asked about when the cell has ended (`learn`): its names (DIR) and its
methods (DESCRIBE, or INSPECT of a stock RPyC). That runs none of the peer's methods and reads no
attribute. The answers come while the notebook is idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from inspect import Signature
from typing import Final
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred, gatherResults

from txremote.errors import TxRemoteError
from txremote.notebook.markup import printable, shortened
from txremote.notebook.scope import is_a, with_root
from txremote.refs.awaiting import AwaitableDeferred, succeeded
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.refs.remote_signatures import parse_signature, told_signatures
from txremote.wire.consts import FEATURE_VALUES, HANDLE_DESCRIBE, HANDLE_DIR, HANDLE_INSPECT

#: Most names that are kept of an object, and longest docstring in characters.
MOST_NAMES: Final = 500
LONGEST_DOC: Final = 4_000

#: Most references that are asked about at the end of one cell.
MOST_ASKED: Final = 50

_PREFIX = "exposed_"


@dataclass(frozen=True)
class Method:
    """
    A method of a remote object.

    Attributes:
        doc: Its docstring, or "".
        signature: How it is called, where the peer tells that.
    """

    doc: str = ""
    signature: Signature | None = None

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return self.doc.strip().partition("\n")[0]


@dataclass(frozen=True)
class Description:
    """
    A remote object, as far as its owner describes it.

    Attributes:
        names: Its public names, sorted.
        methods: Those of them that are methods, and also ``__call__``.
    """

    names: tuple[str, ...] = ()
    methods: Mapping[str, Method] = field(default_factory=dict)


class Knowledge:
    """The descriptions of references, kept for as long as those are held. One thread."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[RemoteReference, Description] = WeakKeyDictionary()
        self._asked: WeakKeyDictionary[RemoteReference, Deferred[None]] = WeakKeyDictionary()

    def of(self, found: object) -> Description | None:
        """Return what is known of what a name stands for: a reference, or a client's root."""
        reference = current_reference(found)
        return None if reference is None else self._known.get(reference)

    def method(self, path: object) -> Method | None:
        """Return what is known of the method that a path leads to."""
        if not is_a(path, RemotePath) or len(path._names) != 1:
            return None
        known = self.of(RemotePath(path._base, ()))
        return None if known is None else known.methods.get(path._names[0])

    def ask(self, found: object) -> AwaitableDeferred[None]:
        """
        Ask about a reference, if nothing is known of it.

        Returns:
            A Deferred that fires when the answer is there, or there will be none. It never fails.
        """
        reference = current_reference(found)
        if reference is None or reference in self._known:
            return succeeded(None)
        waiting: AwaitableDeferred[None] = AwaitableDeferred()
        asking = self._asked.get(reference)
        if asking is None:
            try:
                asking = self._asked[reference] = self._send(reference)
            except (TxRemoteError, OSError):  # it is closed, or another thread's
                return succeeded(None)

        def done(result: None) -> None:
            waiting.callback(None)
            return result

        asking.addCallback(done)
        return waiting

    def learn(self, values: Iterable[object]) -> None:
        """Ask about the references among some values, and send no more than `MOST_ASKED`."""
        left = MOST_ASKED
        for value in values:
            for each in value[:3] if type(value) in (list, tuple) else (value,):  # type: ignore[index]
                reference = current_reference(each)
                if reference is None or reference in self._known or reference in self._asked:
                    continue
                if not left:
                    return
                left -= 1
                self.ask(reference)

    def _send(self, reference: RemoteReference) -> Deferred[None]:
        connection = reference._connection
        describes = FEATURE_VALUES in connection.features
        asked = HANDLE_DESCRIBE if describes else HANDLE_INSPECT
        both: list[Deferred[object]] = [
            connection.request(HANDLE_DIR, reference),
            connection.request(asked, reference._pack),
        ]
        answers = gatherResults(both, consumeErrors=True)
        return answers.addCallbacks(
            partial(self._told, reference), partial(self._refused, reference)
        )

    def _told(self, reference: RemoteReference, answers: list[object]) -> None:
        self._asked.pop(reference, None)
        self._known[reference] = described(*answers)

    def _refused(self, reference: RemoteReference, _failure: object) -> None:
        # it is not asked again: the connection has ended, or its owner refuses to tell
        self._asked.pop(reference, None)
        self._known[reference] = Description()


def described(names: object, methods: object) -> Description:
    """Return what the answers to DIR and to DESCRIBE or INSPECT tell; the rest is dropped."""
    found: dict[str, Method] = {}
    signatures = told_signatures(methods)
    for entry in (methods if type(methods) is tuple else ())[:MOST_NAMES]:
        if type(entry) is not tuple or len(entry) < 2 or type(entry[0]) is not str:
            continue
        name = entry[0].removeprefix(_PREFIX)
        if name == "__call__" or _is_public(name):
            doc = entry[1] if type(entry[1]) is str else ""
            signature = parse_signature(signatures.get(entry[0]))
            found[name] = Method(printable(shortened(doc, LONGEST_DOC)), signature)
    told = [each for each in names if type(each) is str] if type(names) is tuple else []
    public = {each.removeprefix(_PREFIX) for each in told[: 4 * MOST_NAMES]} | found.keys()
    return Description(tuple(sorted(filter(_is_public, public))[:MOST_NAMES]), found)


def overview(known: Description) -> list[tuple[str, str]]:
    """Return a remote object's names, methods with their arguments, and a few words on each."""
    found: list[tuple[str, str]] = []
    for name in known.names:
        method = known.methods.get(name)
        if method is None:
            found.append((name, ""))
        else:
            arguments = "(...)" if method.signature is None else str(method.signature)
            found.append((shortened(f"{name}{printable(arguments)}"), shortened(method.summary)))
    return found


def _is_public(name: str) -> bool:
    return name[:1] != "_" and name.isidentifier() and len(name) <= 100


def current_reference(found: object) -> RemoteReference | None:
    """Return the reference that something stands for now: itself, or a connection's root."""
    found = with_root(found)
    if type(found) is RemoteReference:
        return found
    if is_a(found, RemotePath) and not found._names:
        base = found._base
        return base.known() if type(base) is LateReference else base  # type: ignore[return-value]
    return None
