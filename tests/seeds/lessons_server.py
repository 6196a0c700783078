"""
The services of RPyC's tutorial, parts 3 and 4, and of its demos, in our own words.

Run as a process of its own, with either library::

    python -m tests.seeds.lessons_server txremote|rpyc

Each service has a ``ThreadedServer``, and so has RPyC's classic mode, as ``rpyc_classic``
has it; ``NAME PORT`` is said for each. Imported by twistd the services are RPyC's.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
import time

if __name__ == "__main__":
    os.environ["LESSONS_LIBRARY"] = sys.argv[1]

LIBRARY = {"txremote": "txremote.blocking"}.get(os.environ.get("LESSONS_LIBRARY", "rpyc"), "rpyc")

rpyc = importlib.import_module(LIBRARY)
helpers = importlib.import_module(f"{LIBRARY}.utils.helpers")
server = importlib.import_module(f"{LIBRARY}.utils.server")


# -- part 3


class Answers(rpyc.Service):
    """
    Names with the prefix, names without; a nested class; what comes and goes.
    """

    lock = threading.Lock()
    came: list[str] = []
    left: list[str] = []
    exposed_real_answer = 43
    question_mark = "?"

    def on_connect(self, conn):
        self._conn = conn
        self._name = "nobody"

    def on_disconnect(self, conn):
        with self.lock:
            self.left.append(self._name)

    def exposed_i_am(self, name):
        self._name = name
        with self.lock:
            self.came.append(name)

    def exposed_has_left(self, name):
        with self.lock:
            return name in self.left

    def exposed_get_answer(self):
        return 42

    def get_question(self):
        return "what do you get if you multiply six by nine?"

    class exposed_Counter:
        def __init__(self, start=0):
            self.count = start

        def exposed_step(self, by=1):
            self.count += by
            return self.count

        def hidden(self):
            return "hidden"

    def exposed_fail(self):
        return self.get_question()[10_000]

    def exposed_call_yours(self, number):
        """
        Call what the client's own service exposes.
        """
        return self._conn.root.twice(number) + 1


@rpyc.service
class Marked(rpyc.Service):
    """
    Names by decorator.
    """

    @rpyc.exposed
    class Point:
        def __init__(self, x, y):
            self.x, self.y = x, y

        @rpyc.exposed
        def norm(self):
            return self.x**2 + self.y**2

    @rpyc.exposed
    def greet(self, name):
        return f"hello, {name}"

    @rpyc.exposed("other_name")
    def named_here(self):
        return "by the other name"

    @rpyc.exposed
    def view(self):
        """
        Show some of an object's names.
        """
        return helpers.restricted(Account("ann", 10), ["owner", "pay_in"], [])

    def unmarked(self):
        return "not for clients"


class Account:
    def __init__(self, owner, balance):
        self.owner, self.balance = owner, balance

    def pay_in(self, sum_):
        self.balance += sum_
        return f"{self.owner} has {self.balance}"


class Shared(rpyc.Service):
    """
    One instance for all clients.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._total = 0
        self._items = []

    def exposed_add(self, number):
        with self._lock:
            self._total += number
            return self._total

    def exposed_put(self, item):
        self._items.append(item)

    def exposed_items(self):
        return tuple(self._items)


class WithArguments(rpyc.Service):
    """
    Made by ``classpartial`` with arguments.
    """

    def __init__(self, one, two, pi):
        self._all = one, two, pi

    def exposed_arguments(self):
        return self._all


# -- part 4


class Callbacks(rpyc.Service):
    """
    Functions of the client's.
    """

    def exposed_cube_all(self, numbers, function):
        return [function(number) for number in numbers]

    def exposed_apply(self, function, *args, **kwargs):
        return function(*args, **kwargs)

    def exposed_catch(self, function):
        """
        Call what fails, and say how.
        """
        try:
            function()
        except ZeroDivisionError as error:
            return type(error).__name__, error.args[0]
        return "nothing", ""

    def exposed_there_and_back(self, depth, function):
        return depth if depth == 0 else function(depth - 1, self.exposed_there_and_back)

    def exposed_compose(self, f, g):
        return lambda x: f(g(x))

    def exposed_mirror(self, thing):
        return thing

    def exposed_stream(self, count, on_item):
        """
        Call asynchronously from another thread.
        """
        call = rpyc.async_(on_item)

        def send():
            for number in range(count):
                call(number)

        threading.Thread(target=send).start()

    def exposed_sum_of(self, items):
        return sum(items)

    def exposed_countdown(self, count):
        yield from range(count, 0, -1)

    def exposed_open(self, log):
        return Door(log)

    def exposed_inside(self, manager):
        with manager as value:
            return value


class Door:
    def __init__(self, log):
        self._log = log

    def __enter__(self):
        self._log("opened")
        return self

    def __exit__(self, kind, error, stack):
        self._log("closed" if kind is None else "closed after an error")
        return False

    def exposed_name(self):
        return "a door"


# -- the demos


class Time(rpyc.Service):
    """
    The time: the demo of a service that is looked up by its name.
    """

    def exposed_get_utc(self):
        return time.time()

    def exposed_get_time(self):
        return time.ctime()


USERS = {"ann": "secret", "bob": "word"}
tokens = set()
tokens_lock = threading.RLock()


def broadcast(text):
    """
    Tell all who are in; forget those who cannot be told.
    """
    with tokens_lock:
        for token in list(tokens):
            try:
                token.callback(text)
            except Exception:
                tokens.discard(token)


class Token:
    """
    A user of the chat, as the client holds it.
    """

    def __init__(self, name, callback):
        self.name, self.callback, self.stale = name, callback, False
        broadcast(f"* {name} comes *")
        with tokens_lock:
            tokens.add(self)

    def exposed_say(self, message):
        if self.stale:
            raise ValueError("you have left")
        broadcast(f"[{self.name}] {message}")

    def exposed_logout(self):
        if not self.stale:
            self.stale = True
            with tokens_lock:
                tokens.discard(self)
            self.callback = None
            broadcast(f"* {self.name} goes *")


class Chat(rpyc.Service):
    def on_connect(self, conn):
        self.token = None

    def on_disconnect(self, conn):
        if self.token:
            self.token.exposed_logout()

    def exposed_login(self, name, password, callback):
        if self.token and not self.token.stale:
            raise ValueError("you are in")
        if USERS.get(name) != password:
            raise ValueError("wrong name or password")
        self.token = Token(name, rpyc.async_(callback))
        return self.token


class Pages(rpyc.Service):
    """
    The demo web8: the browser hands its toolkit in, and the server builds pages.
    """

    def exposed_get_page(self, toolkit, content, name):
        page = getattr(self, f"page_{name}", None)
        if page is None:
            raise LookupError(f"no page {name}")
        page(toolkit, content)

    def page_main(self, toolkit, content):
        clicks = [0]
        label = toolkit.Label("no click yet")
        button = toolkit.Button("click")

        def clicked(source):
            clicks[0] += 1
            label.set_text(f"{clicks[0]} by {source.get_label()}")

        button.connect("clicked", clicked)
        box = toolkit.Box()
        box.pack(label)
        box.pack(button)
        content.pack(box)


class FileMonitors(rpyc.Service):
    """
    The demo filemon: an exposed class that calls back from a thread of its own.
    """

    class exposed_FileMonitor:
        def __init__(self, filename, callback, interval=0.02):
            self.filename, self.interval = filename, interval
            self.last = os.stat(filename).st_size
            self.callback = rpyc.async_(callback)
            self.active = True
            self.thread = threading.Thread(target=self.work, daemon=True)
            self.thread.start()

        def exposed_stop(self):
            self.active = False
            self.thread.join()

        def work(self):
            while self.active:
                size = os.stat(self.filename).st_size
                if self.last != size:
                    self.callback(self.last, size)
                self.last = size
                time.sleep(self.interval)


class Works(rpyc.Service):
    """
    The demo of an asynchronous client: work that is told of as it goes on.
    """

    def exposed_work(self, number, done):
        done(f"{number} is begun")
        done(f"{number} is done")
        return number * 2


SERVED = {
    "Answers": Answers,
    "Open": Answers,  # with all public attributes
    "Marked": Marked,
    "Shared": Shared,
    "WithArguments": WithArguments,
    "Callbacks": Callbacks,
    "Time": Time,
    "Chat": Chat,
    "Pages": Pages,
    "FileMonitors": FileMonitors,
    "Works": Works,
}

SWITCHES = {
    "Open": {"allow_public_attrs": True},
    "Callbacks": {"allow_public_attrs": True},
    "Pages": {"allow_public_attrs": True},
}


def main():
    """
    Serve all until killed.
    """
    classic = {"classic": rpyc.SlaveService} if LIBRARY == "rpyc" else {}
    for name, service in {**SERVED, **classic}.items():
        if service is Shared:
            service = Shared()
        elif service is WithArguments:
            service = helpers.classpartial(WithArguments, 1, 2, pi=3)
        one = server.ThreadedServer(
            service,
            hostname="127.0.0.1",
            port=0,
            protocol_config=SWITCHES.get(name, {}),
        )
        if LIBRARY == "rpyc":
            one._listen()  # its start() does, in a thread that may be late
            # or two messages in a row take 40 ms, and hundreds do here; who is accepted inherits it
            one.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=one.start, daemon=True).start()
        print(name, one.port, flush=True)
    print("all serve", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
