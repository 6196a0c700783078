"""
How IPython shows values and references when this extension is loaded.

Lists of records, dicts and the like are tables (`txremote.notebook.tables`), beside the
text that IPython shows. A reference shows the names of its object. In a notebook one that nothing
is known of yet is shown in a display that is redrawn when the answer is there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from IPython.display import display
from IPython.utils.dir2 import get_real_method

from txremote.notebook.displays import Bundle, redraws
from txremote.notebook.known import Knowledge, overview
from txremote.notebook.markup import printable, table
from txremote.notebook.tables import MOST_ROWS, table_of
from txremote.refs.reference import RemoteReference
from txremote.wire.record import Record

_HTML, _PLAIN = "text/html", "text/plain"

#: The classes that may be shown as tables; those of other packages by their names.
_TABLES: tuple[type | str, ...] = (
    *(list, tuple, Record),
    *("numpy.ndarray", "pyarrow.lib.Table", "pyarrow.lib.RecordBatch"),
)


class Formatters:
    """
    The formatters that are registered.

    Args:
        formatter: IPython's ``display_formatter``.
        knowledge: The names that are known of references.
    """

    def __init__(self, formatter: Any, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._undo: list[Callable[[], object]] = []
        for kind in _TABLES:
            self._register(formatter.formatters[_HTML], kind, _table)
        self._register(formatter.formatters[_PLAIN], RemoteReference, self._print_reference)
        if redraws():
            self._register(formatter.ipython_display_formatter, RemoteReference, self._display)

    def remove(self) -> None:
        """Have IPython show all as before."""
        for undo in self._undo:
            undo()
        self._undo.clear()

    def _register(self, formatter: Any, kind: type | str, show: Callable[..., object]) -> None:
        before = formatter.for_type(kind, show)
        if before is None:
            self._undo.append(partial(formatter.pop, kind, None))
        else:
            self._undo.append(partial(formatter.for_type, kind, before))

    def _print_reference(self, reference: RemoteReference, printer: Any, _cycle: bool) -> None:
        printer.text(self.of_reference(reference)[_PLAIN])

    def _display(self, reference: RemoteReference) -> None:
        """Show a reference, and show it again when its names are known."""
        unknown = self._knowledge.of(reference) is None
        handle: Any = display(self.of_reference(reference), raw=True, display_id=True)
        if not unknown:
            return

        def known(_done: None) -> None:
            handle.update(self.of_reference(reference), raw=True)

        self._knowledge.ask(reference).addCallback(known)

    def of_reference(self, reference: RemoteReference) -> Bundle:
        """Return how a reference is shown, with what is known by now."""
        title = printable(repr(reference))
        known = self._knowledge.of(reference)
        rows = [] if known is None else overview(known)[:MOST_ROWS]
        plain = [title, *[f"  {call}" for call, _words in rows]]
        if known is not None and len(known.names) > len(rows):
            plain.append(f"  ... {len(known.names)} names")
        return {_PLAIN: "\n".join(plain), _HTML: table((title, ""), rows)}


def _table(value: object) -> object:
    """Return the table of a value, or the HTML that an object of a derived class has itself."""
    found = table_of(value)
    own = None if found is not None else get_real_method(value, "_repr_html_")
    return found if own is None else own()
