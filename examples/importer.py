"""
An importer whose files take minutes, from plac's document on asynchronous commands, in
its three forms: in a thread, in a process, in turns of the reactor.

Serve them all, from the folder above this one; DSN stands for a database::

    twistd -n txremote --container "examples.importer.ThreadedImporter DSN" \\
        --container "examples.importer.ProcessImporter DSN" \\
        --container "examples.importer.AsyncImporter DSN" \\
        --listen tcp:18861:interface=127.0.0.1

Use them, from as many windows as you like, where all see the same tasks::

    telnet 127.0.0.1 2199
    txremote tasks tcp:127.0.0.1:18861 submit "import_file file1" --follow

Or do without a server::

    txremote console examples.importer.ThreadedImporter DSN
    txremote console examples.importer.ThreadedImporter DSN import_file file1
"""

import time

from twisted.internet.task import deferLater

from txremote import Progress


class Importer:
    """
    What the three have in common.

    Args:
        dsn: Where the lines would go.
    """

    pause = 0.01  # seconds that each of them takes

    def __init__(self, dsn):
        self.dsn = dsn

    def count(self, fname):
        return 10_000  # whatever the file is

    def import_file(self, fname):
        "Import a file into the database"
        lines = self.count(fname)
        try:
            for n in range(lines):
                time.sleep(self.pause)
                if n % 100 == 99:
                    yield f"Imported {n + 1} lines"
                    yield Progress(n + 1, lines, fname)
                else:
                    yield  # a place to stop
        finally:
            print("closing the file")


class ThreadedImporter(Importer):
    "A fake importer with an import_file command"

    thcommands = ["import_file"]


class ProcessImporter(Importer):
    "A fake importer with an import_file command"

    mpcommands = ["import_file"]


class AsyncImporter(Importer):
    "A fake importer with an import_file command"

    asyncommands = ["import_file"]

    def import_file(self, fname):
        "Import a file into the database"
        from twisted.internet import reactor

        lines = self.count(fname)
        try:
            for n in range(lines):
                yield deferLater(reactor, self.pause)  # others have their turn meanwhile
                if n % 100 == 99:
                    yield f"Imported {n + 1} lines"
                    yield Progress(n + 1, lines, fname)
        finally:
            print("closing the file")
