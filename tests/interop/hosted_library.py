"""
A service as its author wrote it for RPyC, with most of what RPyC offers to one.

It knows nothing of txremote. ``test_hosting.py`` has twistd host it as it is, and runs
it with RPyC's own server as the control (``python -m tests.interop.hosted_library``).
"""

from __future__ import annotations

import threading
import time

import rpyc
from rpyc.utils.helpers import classpartial


class Book:
    """Not exposed by a decorator: its names have the prefix."""

    def __init__(self, title):
        self.exposed_title = title
        self._readers = []

    def exposed_lend(self, reader):
        self._readers.append(reader)
        return len(self._readers)

    def burn(self):
        raise AssertionError("nobody may")


class Guarded:
    """Decides itself what a peer sees."""

    def __init__(self):
        self.asked = []

    def _rpyc_getattr(self, name):
        self.asked.append(name)
        if name == "open_to_all":
            return f"{name}, asked {len(self.asked)} times"
        raise AttributeError(f"not {name}")

    def _rpyc_setattr(self, name, value):
        if name != "colour":
            raise AttributeError(f"not {name}")
        self.colour = value


class File:
    """Something to be handed out in part."""

    name = "a file"

    def read(self):
        return "its text"

    def erase(self):
        raise AssertionError("nobody may")


@rpyc.service
class LibraryService(rpyc.Service):
    """One for each connection."""

    ALIASES = ("library", "books")
    exposed_opened = 1895
    _left = []
    _reader = None  # requests are served while on_connect waits, with RPyC too

    def __init__(self, town="nowhere"):
        self._town = town
        self._threads = []
        self._lock = threading.Lock()

    # -- hooks that use the connection

    def on_connect(self, conn):
        super().on_connect(conn)
        self._conn = conn
        try:
            self._reader = conn.root.name().upper()
        except AttributeError:  # a client that offers nothing
            self._reader = "NOBODY"

    def on_disconnect(self, conn):
        super().on_disconnect(conn)
        try:
            conn.root.name()
            told = "still there"
        except EOFError:
            told = "gone"
        self._left.append((self._reader, conn.closed, told))

    def exposed_who_left(self):
        return tuple(self._left)

    def exposed_reader(self):
        return self._reader

    # -- ways to expose

    @rpyc.exposed
    def town(self):
        return self._town

    @rpyc.exposed
    class Shelf:
        def __init__(self, *titles):
            self._titles = list(titles)

        @rpyc.exposed
        def titles(self):
            return tuple(self._titles)

        def exposed_add(self, title):
            self._titles.append(title)
            return len(self._titles)

    class exposed_Catalogue:
        exposed_edition = 3

        @staticmethod
        def exposed_find(title):
            return Book(title)

    def by_its_prefixed_name(self):
        return self.exposed_town()  # what @rpyc.service made of it

    exposed_by_its_prefixed_name = by_its_prefixed_name

    def private(self):
        raise AssertionError("nobody may")

    # -- what is handed out

    def exposed_restricted(self):
        return rpyc.restricted(File(), {"read", "name"}, {"name"})

    def exposed_guarded(self):
        return Guarded()

    def exposed_book(self):
        return Book("Emma")

    # -- the client's objects

    def exposed_look(self, thing):
        """What RPyC's helpers look for in a proxy."""
        return (
            thing.____conn__ is self._conn,
            thing.____id_pack__[0],
            len(thing.____id_pack__),
            thing.____refcount__,
        )

    def exposed_is_netref(self, thing):
        return isinstance(thing, rpyc.BaseNetref)

    def exposed_use(self, numbers):
        """What Python's syntax does with a proxy."""
        numbers += (4,)
        numbers[0] = 10
        first, *rest = numbers
        return (
            *(len(numbers), first, tuple(rest), sum(numbers), 4 in numbers, max(numbers)),
            *(isinstance(numbers, list), repr(numbers), numbers == numbers, bool(numbers)),
            tuple(numbers[1:3]),
        )

    def exposed_buffered(self, numbers):
        return sum(rpyc.buffiter(numbers))

    def exposed_with(self, manager):
        with manager as entered:
            return entered is manager

    def exposed_by_async(self, function):
        """A call that does not wait, and its result."""
        call = rpyc.async_(function)
        heard = []
        result = call(20)
        result.add_callback(lambda res: heard.append(res.value))
        result.wait()
        return result.ready, result.error, result.expired, result.value, tuple(heard)

    def exposed_by_async_many(self, function, count):
        call = rpyc.async_(function)
        return tuple(result.value for result in [call(number) for number in range(count)])

    def exposed_timed(self, function, seconds):
        try:
            return rpyc.timed(function, seconds)(0).value
        except rpyc.AsyncResultTimeout:
            return "too late"

    def exposed_error_of(self, function):
        try:
            function(1)
        except ZeroDivisionError as error:
            return "Remote Traceback" in str(error)

    def exposed_own_requests(self):
        """The connection, from within a request."""
        self._conn.ping()
        self._conn.poll_all()
        return self._conn.root.name(), self._conn.root.add(1, b=2), self._conn.closed

    # -- events

    def exposed_subscribe(self, listener, count, waits=False):
        """Events from a thread of its own, which outlives the request."""
        call = listener if waits else rpyc.async_(listener)

        def work():
            for number in range(count):
                call(number)

        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def exposed_join(self):
        for thread in self._threads:
            thread.join()
        return len(self._threads)

    # -- the configuration

    def exposed_config(self):
        config = self._conn._config
        return (
            *(config["allow_public_attrs"], config["sync_request_timeout"], config["credentials"]),
            *(config.get("exposed_prefix"), "safe_attrs" in config, "logger" in dict(config)),
            type(config["connid"]).__name__,
            config["endpoints"][0][0],
        )

    def exposed_change_config(self, how):
        if how == "item":
            self._conn._config["allow_public_attrs"] = True
        else:
            self._conn._config.update(allow_public_attrs=True)

    # -- one at a time

    def exposed_slow(self, seconds):
        alone = self._lock.acquire(blocking=False)
        time.sleep(seconds)
        if alone:
            self._lock.release()
        return alone


#: With an argument for its constructor.
Elsewhere = classpartial(LibraryService, "Paris")


if __name__ == "__main__":
    server = rpyc.ThreadedServer(LibraryService, hostname="127.0.0.1")
    server._listen()
    print("ThreadedServer", server.port, flush=True)
    server.start()
