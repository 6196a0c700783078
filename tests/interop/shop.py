"""
What is offered in the interop tests, in code that both kinds of server run.

``shop_hosted.Shop`` serves it with txremote, ``stock_server.py`` with RPyC.
Only what has to wait, or to call its client back, is written twice.
"""

from __future__ import annotations


class ShopError(Exception):
    """An exception class that no client knows."""

    def __init__(self, *args):
        super().__init__(*args)
        self.until = "monday"


class Basket:
    """An exposed class: clients make their own."""

    exposed_kind = "basket"

    def __init__(self, *things):
        self._things = list(things)

    def exposed_put(self, thing, times=1):
        """Add a thing."""
        self._things.extend([thing] * times)
        return len(self._things)

    def exposed_things(self):
        """The list itself."""
        return self._things

    def hidden(self):
        """Not for clients."""

    def __len__(self):
        return len(self._things)

    def __bool__(self):
        return bool(self._things)

    def __iter__(self):
        return iter(self._things)

    def __contains__(self, thing):
        return thing in self._things

    def __getitem__(self, key):
        return self._things[key]

    def __setitem__(self, key, thing):
        self._things[key] = thing

    def __delitem__(self, key):
        del self._things[key]

    def __add__(self, thing):
        return Basket(*self._things, thing)

    def __int__(self):
        return len(self._things)

    def __eq__(self, other):
        return isinstance(other, Basket) and self._things == other._things

    def __lt__(self, other):
        return len(self._things) < len(other._things)

    def __hash__(self):
        return 4711 + len(self._things)

    def __str__(self):
        return "a basket of " + ", ".join(map(str, self._things))

    def __repr__(self):
        return f"Basket{tuple(self._things)!r}"


class Till:
    """A context manager that remembers what it saw."""

    def __init__(self, forgives=False):
        self._forgives = forgives
        self.exposed_seen = ("made",)

    def __enter__(self):
        self.exposed_seen += ("entered",)
        return self

    def __exit__(self, kind, error, traceback):
        name = None if kind is None else getattr(kind, "__name__", type(kind).__name__)
        self.exposed_seen += (name,)
        return self._forgives


class Plain:
    """Says nothing about itself: default repr, hash and comparison."""


class _Oven:
    exposed_degrees = 200

    def exposed_bake(self, what):
        return f"{what}, baked"


class _Kitchen:
    def __init__(self):
        self.exposed_oven = _Oven()


def twice(value):
    """A plain function, handed out by reference."""
    return value * 2


class Offered:
    """What both servers offer."""

    exposed_pi = 3.14
    exposed_Basket = Basket
    _secret = "the recipe"

    def __init__(self):
        self._prices = {"tea": 2, "cake": 3}
        self.exposed_kitchen = _Kitchen()

    def exposed_add(self, a, b):
        return a + b

    def exposed_echo(self, *args, **kwargs):
        return args, tuple(sorted(kwargs.items()))

    def exposed_same(self, value):
        return value

    def exposed_numbers(self, count):
        return list(range(count))

    def exposed_prices(self):
        return self._prices

    def exposed_count_up(self, count):
        yield from range(count)

    def exposed_till(self, forgives=False):
        return Till(forgives)

    def exposed_plain(self):
        return Plain()

    def exposed_function(self):
        return twice

    def exposed_divide(self, a, b):
        return a / b

    def exposed_fail(self):
        raise ShopError("closed", 42)

    def exposed_blob(self, size):
        return bytes(range(256)) * (size // 256)

    def exposed_baskets(self, count):
        return tuple(Basket(number) for number in range(count))

    def hidden(self):
        return "not for clients"
