"""`txremote.aio` on uvloop."""

from benchmarks.peers import txr_aio

LOOP = "uvloop"
connect, listen = txr_aio.connect, txr_aio.listen
