"""Where servers and consoles listen: endpoints of their descriptions, with TLS, each once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IReactorCore, IStreamServerEndpoint

from txremote.daemon.plan import ListenerPlan
from txremote.daemon.ports import TCP, in_words, port_of, why_not_free
from txremote.daemon.problems import ConfigOrigin, Problems
from txremote.net.tls import Credentials, tls_server
from txremote.net.unixsockets import server_endpoint
from txremote.refs.clock import Reactor
from txremote.work.spec import split

_ENDPOINTS: Final = "tcp:PORT:interface=ADDRESS, unix:PATH or ssl:PORT:privateKey=FILE"


@dataclass(frozen=True)
class ListenAddress:
    """Somewhere to listen. The endpoint has TLS in it; it is None where only systemd knows it."""

    description: str
    endpoint: IStreamServerEndpoint | None

    @property
    def exposed(self) -> bool:
        """Whether other machines are known to reach it: of TCP and TLS alone it is known."""
        return split(self.description)[0] in TCP and not self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether it is a port that is known to be for this machine alone."""
        kind, words, options = split(self.description)
        interface = _interface(words, options)
        local = interface.startswith("127.") or interface in ("::1", "localhost")
        return kind in TCP and local

    @property
    def is_plain(self) -> bool:
        """Whether it is TCP, where TLS may still be put around it."""
        return self.description.startswith(("tcp:", "tcp6:"))

    def certificate_files(self, plan: ListenerPlan) -> list[str]:
        """Return the files of the certificates that are shown, or trusted, there."""
        _kind, _words, options = split(self.description)
        of_endpoint = [options.get("certKey") or options.get("privateKey")]
        found = [plan.tls_cert, plan.tls_ca, *(of_endpoint if not self.is_plain else [])]
        return [path for path in found if path is not None]


class EndpointMaker:
    """
    Makes endpoints of descriptions.

    Attributes:
        opens: Whether they open their sockets, so that the description is all there is to them.
    """

    opens = True

    def endpoint(self, reactor: Reactor, description: str) -> IStreamServerEndpoint:
        """Return the endpoint of a description; raises as its kind's parser does."""
        return server_endpoint(reactor, description)


class AddressResolver:
    """
    Makes endpoints of the addresses in a plan, and refuses an address that is there twice.

    Args:
        try_ports: Whether to refuse one that cannot be had now (`txremote.daemon.ports`).
        maker: Makes the endpoints.
    """

    def __init__(
        self,
        reactor: IReactorCore,
        starting: bool,
        problems: Problems,
        try_ports: bool = False,
        maker: EndpointMaker | None = None,
    ) -> None:
        self._maker = maker or EndpointMaker()
        self._try_ports = try_ports
        self._reactor = reactor
        self._starting = starting
        self._problems = problems
        self._taken: dict[tuple[str, ...], ConfigOrigin] = {}

    def of(self, plan: ListenerPlan, default: str) -> tuple[ListenAddress, ...]:
        """Return the addresses of a plan; none if there is something wrong with them."""
        before = len(self._problems)
        origin = plan.origin
        credentials_are_good = self._check_certificates(plan)
        found = []
        for description in plan.listen or (() if origin.faulty else (default,)):
            with self._problems.noting(origin, "listen", description):
                if plan.tls_cert is not None and description.startswith(("ssl:", "tls:")):
                    how = origin.spelled("tls-cert")
                    raise ValueError(f"it has TLS already: write tcp: with {how}")
                endpoint = self.endpoint(description, origin)
                self.try_port(description, origin)
                if plan.tls_cert is not None and endpoint is not None and credentials_are_good:
                    where = description if self._maker.opens else endpoint
                    endpoint = tls_server(where, *_files(plan), reactor=self._reactor)
                found.append(ListenAddress(description, endpoint))
        return tuple(found) if len(self._problems) == before else ()

    def endpoint(self, description: str, origin: ConfigOrigin) -> IStreamServerEndpoint | None:
        """Return the endpoint of an address, and take it. ValueError: none, or taken already."""
        endpoint = self._endpoint(description)
        self.take(description, origin)
        return endpoint

    def take(self, description: str, origin: ConfigOrigin) -> None:
        """Note that an address is taken; raise ValueError if it is already."""
        address = address_of(description)
        if address is None:
            return
        other = self._taken.get(address)
        if other is not None:
            already = other.table if other.table != origin.table else ""
            raise ValueError(f"{already} listens there already" if already else "it is there twice")
        self._taken[address] = origin

    def try_port(self, description: str, origin: ConfigOrigin, key: str = "listen") -> None:
        """Note a problem if nobody can listen there now, where that is to be tried."""
        why_not = why_not_free(description) if self._try_ports else None
        if why_not is not None:
            self._problems.note(origin, key, f": cannot listen on {description}: {why_not}")

    def _endpoint(self, description: str) -> IStreamServerEndpoint | None:
        kind = description.partition(":")[0]
        try:
            return self._maker.endpoint(self._reactor, description)
        except Exception as problem:  # each kind of endpoint parses in its own way
            sentence = f"{in_words(problem, description)} (write it as {_ENDPOINTS})"
            if isinstance(problem, ImportError):
                how = "pip install 'txremote[tls]'"
                sentence = f"{how} ({problem})" if kind == "ssl" else str(problem)
            elif kind == "systemd" and isinstance(problem, (KeyError, IndexError)):
                if not self._starting:
                    return None  # it is taken for good
                sentence = (
                    "systemd has not handed over that socket: start this by its .service, with "
                    "a .socket beside it"
                )
            raise ValueError(sentence) from None

    def _check_certificates(self, plan: ListenerPlan) -> bool:
        """Return whether a plan's certificates are good, if it has any; note their problems."""
        origin = plan.origin
        before = len(self._problems)
        if plan.tls_cert is None:
            for name, path in (("tls-key", plan.tls_key), ("tls-ca", plan.tls_ca)):
                if path is not None:
                    how = origin.spelled("tls-cert", "FILE")
                    self._problems.note_mismatch(origin, name, f" is of use with {how} only")
            return len(self._problems) == before
        try:
            Credentials(*_files(plan))
        except OSError as problem:
            name = _named_in(str(problem.filename), plan)
            path = getattr(plan, name.replace("-", "_"))
            self._problems.note(origin, name, f": {problem.strerror}", path)
        except ValueError as problem:
            self._problems.note(origin, _named_in(str(problem), plan), f": {problem}")
        except ImportError as problem:
            self._problems.note(origin, "tls-cert", f": {problem}")
        return len(self._problems) == before


def _files(plan: ListenerPlan) -> tuple[str, str | None, str | None]:
    # absolute: when they are read again, twistd may have left the working directory
    assert plan.tls_cert is not None
    key = None if plan.tls_key is None else os.path.abspath(plan.tls_key)
    ca = None if plan.tls_ca is None else os.path.abspath(plan.tls_ca)
    return os.path.abspath(plan.tls_cert), key, ca


def _named_in(text: str, plan: ListenerPlan) -> str:
    """Return which of the settings of TLS a problem begins with."""
    _cert, key, ca = _files(plan)
    if key is not None and text.startswith(key):
        return "tls-key"
    return "tls-ca" if ca is not None and text.startswith(ca) else "tls-cert"


def address_of(description: str) -> tuple[str, ...] | None:
    """Return the address that an endpoint takes, None if unknown; ValueError if there is none."""
    kind, words, options = split(description)
    if kind == "unix":
        path = options.get("address", "".join(words[:1]))
        if not path:
            raise ValueError("it has no path: unix:PATH")
        return kind, os.path.abspath(path)
    found = port_of(description)
    return ("tcp", str(found[1]), found[0]) if found is not None and found[1] else None


def _interface(words: tuple[str, ...], options: dict[str, str]) -> str:
    return options.get("interface", words[1] if len(words) > 1 else "")
