"""
A calculator: a small service, and a client that tries all of it.

Serve it, from the folder above this one::

    twistd -n txremote --service examples.calculator.Calculator

and use it::

    python examples/calculator.py tcp:127.0.0.1:18861
"""

import sys

from twisted.internet.task import deferLater, react

from txremote import Service, connect, exposed


class Calculator(Service):
    """What the server offers. Each connection has a calculator of its own."""

    exposed_pi = 3.14159

    def __init__(self):
        self._results = []

    @exposed
    def add(self, a, b):
        """Return the sum."""
        self._results.append(a + b)
        return a + b

    @exposed
    def divide(self, a, b):
        """Return the quotient. Dividing by zero is the caller's own exception."""
        self._results.append(a / b)
        return a / b

    @exposed
    def results(self):
        """Return the list of all results so far; it stays here, and goes by reference."""
        return self._results

    @exposed
    async def add_slowly(self, a, b, seconds):
        """Return the sum after a while. Nobody else has to wait for it."""
        from twisted.internet import reactor

        await deferLater(reactor, seconds)
        return self.add(a, b)


async def main(reactor, endpoint):
    """The client."""
    conn = await connect(endpoint, reactor=reactor)
    print("2 + 3 =", await conn.root.add(2, 3))
    print("pi =", await conn.root.pi)

    slow = conn.root.add_slowly(20, 3, seconds=0.2)  # a Deferred: sent, and not waited for
    print("10 / 4 =", await conn.root.divide(10, b=4))
    print("20 + 3 =", await slow)

    try:
        await conn.root.divide(1, 0)
    except ZeroDivisionError as error:
        print("1 / 0:", error.args[0])

    results = await conn.root.results()
    print("results:", [result async for result in results])
    await results.clear()  # the server's list, not a copy
    print("after clear:", [result async for result in results])
    await conn.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/calculator.py ENDPOINT")
    react(main, sys.argv[1:])
