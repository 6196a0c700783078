"""
The entries of a registry that runs here: which server serves which name, and until when.

An entry lasts for a lease, and is renewed by being entered again. There are bounds
to the entries of one host, and of all: anyone who reaches a registry can write to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from txremote.errors import RegistryRefused
from txremote.registry.messages import Address

#: Seconds that an entry lasts; RPyC's servers renew theirs each minute.
LEASE: Final = 240.0

# Seconds between two searches through all entries for old ones, where they are too many.
_PRUNING = 1.0


@dataclass(frozen=True)
class EntryLimits:
    """
    Attributes:
        max_entries: How many pairs of a name and a server there may be.
        max_per_host: How many of them may be of one host.
    """

    max_entries: int = 10_000
    max_per_host: int = 1_000


class Entries:
    """
    The servers of names. Capitals make no difference.

    Args:
        seconds: The time; it never goes backwards.
        lease: Seconds that an entry lasts.
        limits: How many there may be.
        added: Called with a name and an address that was not there before.
        removed: Called with one that is not there any more.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        lease: float = LEASE,
        limits: EntryLimits | None = None,
        added: Callable[[str, Address], object] = lambda _name, _address: None,
        removed: Callable[[str, Address], object] = lambda _name, _address: None,
    ) -> None:
        self.lease = lease
        self._seconds = seconds
        self._limits = limits or EntryLimits()
        self._added = added
        self._removed = removed
        # when each was entered last, the oldest first
        self._servers: dict[str, dict[Address, float]] = {}
        self._by_host: Counter[str] = Counter()
        self._total = 0
        self._pruned = -_PRUNING

    def enter(self, names: tuple[str, ...], address: Address) -> None:
        """
        Enter a server under some names, or renew it.

        Raises:
            RegistryRefused: There are too many; the names before the first that was refused are
                entered.
        """
        now = self._seconds()
        for name in names:
            servers = self._servers.get(name.upper(), {})
            is_new = servers.pop(address, None) is None
            if is_new:
                self._make_room(address[0], now)
                self._total += 1
                self._by_host[address[0]] += 1
            # that may have removed the last of them
            self._servers.setdefault(name.upper(), servers)[address] = now
            if is_new:
                self._added(name.upper(), address)

    def remove(self, address: Address) -> None:
        """Take a server out, whatever its names are."""
        for name in [name for name, servers in self._servers.items() if address in servers]:
            self._drop(name, address)

    def find(self, name: str) -> tuple[Address, ...]:
        """Return the servers of a name; the last are those that were renewed last."""
        self._drop_old(name.upper(), self._seconds() - self.lease)
        return tuple(self._servers.get(name.upper(), ()))

    def names(self, host: str | None = None) -> tuple[str, ...]:
        """Return the names that are served, by a host, if one is given."""
        self._prune(self._seconds())
        return tuple(
            name
            for name, servers in self._servers.items()
            if host is None or any(address[0] == host for address in servers)
        )

    def _make_room(self, host: str, now: float) -> None:
        """Raise RegistryRefused unless one more entry of a host may be there."""
        limits = self._limits
        if self._fits(host):
            return
        if now - self._pruned >= _PRUNING:
            self._prune(now)
        if not self._fits(host):
            raise RegistryRefused(
                f"it has {self._total} entries (at most {limits.max_entries}), "
                f"{self._by_host[host]} of {host} (at most {limits.max_per_host})"
            )

    def _fits(self, host: str) -> bool:
        limits = self._limits
        return self._total < limits.max_entries and self._by_host[host] < limits.max_per_host

    def _prune(self, now: float) -> None:
        self._pruned = now
        for name in list(self._servers):
            self._drop_old(name, now - self.lease)

    def _drop_old(self, name: str, before: float) -> None:
        old = []
        for address, entered in self._servers.get(name, {}).items():
            if entered >= before:
                break
            old.append(address)
        for address in old:
            self._drop(name, address)

    def _drop(self, name: str, address: Address) -> None:
        servers = self._servers[name]
        del servers[address]
        if not servers:
            del self._servers[name]
        self._total -= 1
        self._by_host[address[0]] -= 1
        if not self._by_host[address[0]]:
            del self._by_host[address[0]]
        self._removed(name, address)
