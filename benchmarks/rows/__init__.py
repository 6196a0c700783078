"""
The rows of the table. To add one: a file that has a ``ROW``, and a line here.
"""

from benchmarks.rows import (
    aio,
    array,
    background,
    blocking,
    bulk,
    connections,
    console,
    crowd,
    events,
    latency,
    objects,
    observed,
    pipelined,
    pool_arrays,
    pools,
    sequential,
    streams,
    tasks,
    values,
)
from benchmarks.rows.base import Bar, Row

#: In the order of the table.
ROWS: tuple[Row, ...] = (
    pipelined.ROW,
    sequential.ROW,
    observed.ROW,
    aio.PIPELINED,
    aio.PIPELINED_UVLOOP,
    aio.TASKS,
    aio.SEQUENTIAL,
    aio.SEQUENTIAL_UVLOOP,
    blocking.ROW,
    blocking.THREADED,
    events.ROW,
    background.ROW,
    background.EVENT,
    bulk.ROW,
    streams.ITEMS,
    streams.BYTES,
    connections.ROW,
    crowd.ROW,
    objects.ROW,
    values.RECORDS,
    values.DICT_ARGUMENT,
    array.ROW,
    array.MEMORY,
    console.ONE,
    console.MANY,
    pools.THREADS,
    pools.PROCESSES,
    pools.COLD,
    pool_arrays.SMALL,
    pool_arrays.LARGE,
    pools.DASK,
    latency.PROCESSES,
    latency.THREADS,
    tasks.THREADS,
    tasks.REACTOR,
    tasks.PROCESSES,
)

__all__ = ["ROWS", "Bar", "Row"]
