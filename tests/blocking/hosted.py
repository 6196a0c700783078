"""
Services that child processes of the tests host. Not a test file.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import txremote
import txremote.blocking as rpyc


class Child(rpyc.Service):
    """What a child process offers."""

    def on_disconnect(self, conn: Any) -> None:
        sys.stderr.write("the parent has gone\n")

    def exposed_add(self, a: Any, b: Any) -> Any:
        return a + b

    def exposed_pid(self) -> int:
        return os.getpid()

    def exposed_call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def exposed_print(self, text: str) -> str:
        print(text)  # must not get into the protocol
        return sys.stdin.read()

    def exposed_exit(self) -> None:
        os._exit(7)

    def exposed_sleep(self) -> None:
        time.sleep(100)


class Reactive(txremote.Service):
    """One of the reactor facet's services."""

    @txremote.exposed
    async def add(self, a: Any, b: Any) -> Any:
        return a + b


not_a_service = 5
