"""
django-rpyc: services of a website's applications behind one service, and a command for it.
"""

from __future__ import annotations

import django
import rpyc
from django.conf import settings
from django.core.management import call_command

settings.configure(INSTALLED_APPS=["django_rpyc"])
django.setup()

from django_rpyc.server import DjangoRpycService  # noqa: E402

from tests.interop.published.play import say_port  # noqa: E402
from tests.processes import free_port  # noqa: E402


class Orders(rpyc.Service):
    """An application's service."""

    def exposed_total(self, prices):
        """Add what a client's list has."""
        return sum(prices)


DjangoRpycService.add_service("orders", Orders)


def serve() -> None:
    """Run the package's command."""
    port = free_port()
    say_port(port)
    call_command("run_rpyc", port=port)


def use(port: int) -> None:
    """Find a service by its name, and use it."""
    conn = rpyc.connect("127.0.0.1", port)
    assert list(conn.root.get_service_names()) == ["orders"]
    orders = conn.root.use("orders")
    assert orders.total([1, 2, 3.5]) == 6.5
    try:
        conn.root.use("bills")
    except ValueError as problem:
        assert "Service bills not found" in str(problem)
    else:
        raise AssertionError("there is no such service")
    conn.close()
