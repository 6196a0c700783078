"""`Extension`: all that ``%load_ext txremote`` puts into one IPython, and takes out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from txremote.notebook.completion import RemoteMatcher
from txremote.notebook.connecting import ConnectLine, ConnectMagic
from txremote.notebook.formatters import Formatters
from txremote.notebook.inspection import RemoteInspector
from txremote.notebook.known import Knowledge
from txremote.notebook.terminal import prepare_terminal


class Extension:
    """
    The extension in one shell.

    Args:
        shell: IPython's ``InteractiveShell``: a notebook's kernel, or a terminal's.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.knowledge = knowledge = Knowledge()
        self._undo: list[Callable[[], object]] = []
        self._formatters = Formatters(shell.display_formatter, knowledge)
        self._undo.append(self._formatters.remove)
        matcher = RemoteMatcher(knowledge, lambda: shell.user_ns).matcher()
        self._add(shell.Completer.custom_matchers, matcher)
        self._add(shell.input_transformer_manager.token_transformers, ConnectLine)
        inspector = RemoteInspector(knowledge, shell.inspector.info)
        shell.inspector.info = inspector.info
        self._undo.append(lambda: setattr(shell.inspector, "info", inspector.usual))
        shell.register_magic_function(ConnectMagic(shell, knowledge).connect, "line", "connect")
        self._undo.append(lambda: shell.magics_manager.magics["line"].pop("connect", None))
        self._undo.append(prepare_terminal(shell))
        shell.events.register("post_run_cell", self._cell_has_ended)
        self._undo.append(lambda: shell.events.unregister("post_run_cell", self._cell_has_ended))

    def _add(self, registered: list[Any], mine: object) -> None:
        registered.append(mine)
        self._undo.append(lambda: registered.remove(mine))

    def _cell_has_ended(self, result: Any) -> None:
        """Ask about the references that have a name now."""
        mine = [value for name, value in self._shell.user_ns.items() if name[:1] != "_"]
        self.knowledge.learn([getattr(result, "result", None), *mine])

    def remove(self) -> None:
        """Leave the shell as it was."""
        while self._undo:
            self._undo.pop()()


_loaded: WeakKeyDictionary[Any, Extension] = WeakKeyDictionary()  # by their shells


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext txremote``."""
    if shell not in _loaded:
        _loaded[shell] = Extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Called by ``%unload_ext txremote``."""
    extension = _loaded.pop(shell, None)
    if extension is not None:
        extension.remove()
