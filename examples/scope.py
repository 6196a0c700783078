"""
A laboratory's instrument: arrays, streamed from it as fast as they are read.

Serve it where the instrument is, from the folder above this one::

    twistd -n txremote --service examples.scope.Scope

and measure from a script, in a thread that may block::

    python examples/scope.py 127.0.0.1 18861

``lab.py`` is a laboratory for notebooks.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import txremote.blocking as rpyc
from txremote import Service, exposed


@dataclass
class Trace:
    """A sweep: it travels whole, its array as bytes, not as a list of numbers."""

    no: int
    volts: np.ndarray
    unit: str = "V"


class Scope(Service, values=True):
    """The service. Annotations say what is copied, and that is checked when it arrives."""

    def __init__(self):
        self._gain = 1.0

    @exposed
    def set_gain(self, gain: float) -> None:
        """Set how much is amplified."""
        if not 0 < gain <= 100:
            raise ValueError(f"a gain of {gain}")
        self._gain = gain

    @exposed
    def traces(self, samples: int = 1000) -> Iterator[Trace]:
        """Measure without end: a stream, which ends when its reader leaves the loop."""
        no = 0
        while True:
            no += 1
            phase = np.linspace(0, 2 * np.pi, samples)
            yield Trace(no, self._gain * no * np.sin(phase))

    @exposed
    def mean(self, traces: list[np.ndarray]) -> np.ndarray:
        """Return the mean of some arrays of the client's."""
        return np.mean(traces, axis=0)


def main(host, port):
    """The client."""
    conn = rpyc.connect(host, int(port))
    scope = rpyc.typed(conn.root, Scope)  # gives Traces
    scope.set_gain(0.5)
    kept = []
    for trace in scope.traces(5001):
        print(f"trace {trace.no}: {len(trace.volts)} samples, up to {trace.volts.max():.2f} V")
        kept.append(trace.volts)
        if trace.no == 3:
            break
    print(f"mean: up to {scope.mean(kept).max():.2f} V")
    for wrong in (200, "loud"):
        try:
            scope.set_gain(wrong)
        except (TypeError, ValueError) as error:
            print("refused:", error.args[0])
    conn.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python examples/scope.py HOST PORT")
    main(*sys.argv[1:])
