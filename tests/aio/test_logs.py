"""`txremote.aio.logs`: Python's logging gets what txremote logs, if Twisted's was not begun."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, io, logging, sys
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from txremote.aio import RemoteClient

logging.basicConfig(
    level=logging.INFO, stream=sys.stdout, format="%(name)s %(levelname)s %(filename)s %(message)s"
)
if sys.argv[1] == "begun":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(io.StringIO())], redirectStandardIO=False)

async def main():
    async with RemoteClient("127.0.0.1:1"):
        await asyncio.sleep(0)
        Logger("txremote").warn("lost {what}", what="it")
        Logger("txremote.job").info("a line")
        Logger("of another").error("not ours")

asyncio.run(main())
asyncio.run(main())
print("twisted.internet.reactor" in sys.modules)
"""


@pytest.mark.parametrize(
    ("who", "lines"),
    [
        ("nobody", ["txremote WARNING <string> lost it", "txremote INFO <string> a line"] * 2),
        ("begun", []),
    ],
)
def test_logging_gets_each_line_once_unless_twisteds_has_begun(who: str, lines: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, who],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = [line for line in ended.stdout.splitlines() if "no connection" not in line]
    assert (said, ended.stderr) == ([*lines, "False"], "")
