"""
`RemoteInspector`: what ``?`` tells of remote objects.

IPython reads an object's docstring by *calling* its ``getdoc()`` (9.18: ``oinspect.getdoc``),
which would be a call of the peer's. So the facts about references and paths are given here, from
what is known, and IPython asks them for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txremote.notebook.known import Knowledge, Method, overview
from txremote.notebook.markup import printable
from txremote.notebook.scope import is_a, with_root
from txremote.refs.reference import RemotePath, RemoteReference

_NOT_KNOWN = (
    "Nothing is known of it yet: its owner has been asked, and the answer is there when the "
    "notebook is idle for a moment. Nothing is asked about names after a second dot: await into a "
    "name first what they follow."
)

_REMOTE = RemoteReference, RemotePath

Info = dict[str, Any]


class RemoteInspector:
    """
    Stands before ``info`` of IPython's inspector.

    Args:
        knowledge: The names that are known of remote objects.
        usual: Gives the facts about all other objects.
    """

    def __init__(self, knowledge: Knowledge, usual: Callable[..., Info]) -> None:
        self._knowledge = knowledge
        self.usual = usual

    def info(self, obj: Any, oname: str = "", info: Any = None, detail_level: int = 0) -> Info:
        """Return the facts about an object by name, as IPython shows them."""
        if type(obj) is property and oname.endswith(".root"):  # as a class has it
            root = with_root(getattr(info, "parent", None))
            obj = root if issubclass(type(root), _REMOTE) else obj
        if not issubclass(type(obj), _REMOTE):
            return self.usual(obj, oname=oname, info=info, detail_level=detail_level)
        # all names that there are, from an object that has nothing to tell
        facts = dict.fromkeys(self.usual(None, oname=oname, info=info))
        facts.update(
            ismagic=False, isalias=False, isclass=False, found=True, namespace="Interactive"
        )
        facts["name"] = oname
        facts["type_name"] = type(obj).__name__
        facts["string_form"] = printable(repr(obj))
        method = self._knowledge.method(obj)
        known = self._knowledge.of(obj)
        if method is not None:
            facts.update(self._facts_of_method(oname, method))
        elif known is not None:
            facts["docstring"] = self.summary(obj)
        else:
            owner = RemotePath(obj._base, ()) if is_a(obj, RemotePath) else obj
            self._knowledge.ask(owner)
            if self._knowledge.of(owner) is None or len(getattr(obj, "_names", ())) > 1:
                facts["docstring"] = _NOT_KNOWN
            else:
                facts["docstring"] = "It is no method, as far as its owner tells."
        return facts

    def _facts_of_method(self, oname: str, method: Method) -> Info:
        name = oname.rpartition(".")[2]
        shown = "" if method.signature is None else f"{name}{printable(str(method.signature))}"
        return {
            "definition": shown or None,
            "docstring": method.doc or "It has no docstring.",
            "type_name": "a remote method: await it",
        }

    def summary(self, found: object) -> str:
        """Return the names of a remote object, a line each, with what is known of them."""
        known = self._knowledge.of(found)
        told = [] if known is None else overview(known)
        return "\n".join([f"{call}  {words}".rstrip() for call, words in told])
