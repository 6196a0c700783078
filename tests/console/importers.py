"""
The importer of plac's document, as tests want it: three lines of output from file1, so
that it ends soon; from any other file more than anybody waits for, quicker than in life.

Not a test file.
"""

import itertools

from twisted.internet.task import deferLater

from examples import importer


class Quick:
    """The differences from the example."""

    pause = 0.0004

    def count(self, fname):
        return 300 if fname == "file1" else 200_000


class Threaded(Quick, importer.ThreadedImporter):
    "A fake importer with an import_file command"


class Process(Quick, importer.ProcessImporter):
    "A fake importer with an import_file command"


class Async(Quick, importer.AsyncImporter):
    "A fake importer with an import_file command"


class Desk:
    "Answers at once"

    commands = ["echo", "count", "forever", "fail", "flood"]
    asyncommands = ["tick", "drip"]

    def echo(self, *words):
        "say it again"
        return " ".join(words)

    def count(self, n: int):
        "count to n"
        for number in range(1, n + 1):
            yield f"{number} of {n}"

    def forever(self):
        "wait in the foreground"
        try:
            while True:
                yield
        finally:
            print("forever is over")

    def fail(self):
        "raise an error"
        yield "so far so good"
        raise ValueError("no further")

    def flood(self, n: int):
        "put out n kilobytes"
        for number in range(n):
            yield f"{number:1023}"

    def tick(self, n: int):
        "count in the background"
        for number in range(1, n + 1):
            yield f"tick {number}"

    def drip(self):
        "count slowly in the background, for ever"
        from twisted.internet import reactor

        for number in itertools.count(1):
            yield deferLater(reactor, 0.002)
            yield f"drip {number}"
