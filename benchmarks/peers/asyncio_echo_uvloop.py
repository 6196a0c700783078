"""The same floor on uvloop."""

from benchmarks.peers import asyncio_echo

LOOP = "uvloop"
connect, listen = asyncio_echo.connect, asyncio_echo.listen
