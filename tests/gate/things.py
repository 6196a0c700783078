"""An object whose names are open to peers in every way there is. Not a test file."""

from __future__ import annotations

from txremote import exposed


class Thing:
    exposed_shown = 1
    public = 2
    _private = 3

    def exposed_method(self) -> str:
        return "method"

    @exposed
    def marked(self) -> str:
        return "marked"

    def hidden(self) -> str:
        return "hidden"

    def __len__(self) -> int:
        return 5
