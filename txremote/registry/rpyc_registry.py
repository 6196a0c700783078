"""
RPyC's registry as a `Registry`: stock ``rpyc_registry``, or ``txremote registry``.

Its protocol knows names, hosts and ports, and nothing of TLS or load. So a server with TLS is
entered under each name a second time, with `TLS_MARK` behind it, and a name is asked for in both
spellings; RPyC's clients see the plain one. A host is where the message came from: a server
that listens on one address has its messages sent from that.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from txremote.errors import RegistryRefused, RegistryUnreachable, RemoteProtocolError
from txremote.refs.awaiting import awaitable, failed
from txremote.refs.clock import steady
from txremote.registry.asking import Ask, asking
from txremote.registry.keeping import Renewed, Watchable
from txremote.registry.messages import (
    TLS_MARK,
    List,
    Query,
    Register,
    Request,
    Unregister,
    addresses_of,
    checked_names,
    encoded,
    entered_names,
    is_ok,
    names_of,
)
from txremote.registry.ports import Place, Registration
from txremote.registry.urls import RegistryURL

#: Seconds between two renewals: a registry that was started again knows its servers soon.
RENEW_EVERY: Final = 15.0


class RpycRegistry(Watchable):
    """A registry that speaks RPyC's protocol; see `txremote.registry.ports.Registry`."""

    def __init__(
        self,
        url: RegistryURL,
        reactor: Any,
        *,
        clock: IReactorTime | None = None,
        ask: Ask | None = None,
    ) -> None:
        super().__init__(url, clock or steady(reactor))
        self._ask = ask or asking(url, reactor, self._clock)

    def find(self, name: str) -> Deferred[tuple[Place, ...]]:
        """Return where a name is served, the places that were renewed last at the end."""

        def found(answers: list[bytes]) -> tuple[Place, ...]:
            try:
                plain, with_tls = map(addresses_of, answers)
            except RemoteProtocolError as problem:
                raise self._nonsense(problem) from None
            schemes = {each: "tls" if each in with_tls else "tcp" for each in plain + with_tls}
            return tuple(Place(*address, scheme) for address, scheme in schemes.items())

        try:
            (name,) = checked_names((name,))
            messages = [encoded(Query(each)) for each in (name, name + TLS_MARK)]
        except ValueError as problem:
            return failed(problem)
        asked = gatherResults([self._ask(each) for each in messages], consumeErrors=True)
        return awaitable(asked.addErrback(_first_of_them).addCallback(found))

    def register(self, names: tuple[str, ...], place: Place) -> Registration:
        """
        Enter a server, and renew that until its `Registration` leaves.

        Raises:
            ValueError: The names are none, too many or too long, or it is on a UNIX socket.
        """
        if place.scheme == "unix":
            raise ValueError("RPyC's registry knows TCP ports only, and no UNIX sockets")
        entered = entered_names(checked_names(names), place.scheme)
        encoded(Register(entered, place.port))  # what is wrong with them is told here
        return Renewed(
            partial(self._enter, entered),
            self._take_out,
            place,
            RENEW_EVERY,
            self._clock,
            self._what,
        )

    def list(self) -> Deferred[tuple[str, ...]]:
        """Return the names that are served; it fails with `RegistryRefused` if it is not told."""

        def found(answer: bytes) -> tuple[str, ...]:
            try:
                names = names_of(answer)
            except RemoteProtocolError as problem:
                raise self._nonsense(problem) from None
            if names is None:
                raise RegistryRefused(f"the registry at {self.url} does not tell its names")
            return tuple(name for name in names if not name.endswith(TLS_MARK))

        return awaitable(self._ask(encoded(List(None))).addCallback(found))

    def _enter(self, names: tuple[str, ...], place: Place) -> Deferred[None]:
        return self._tell(Register(names, place.port), place)

    def _take_out(self, place: Place) -> Deferred[None]:
        return self._tell(Unregister(place.port), place)

    def _tell(self, request: Request, place: Place) -> Deferred[None]:
        def answered(answer: bytes) -> None:
            if not is_ok(answer):
                raise RegistryRefused(f"{self._what} did not take {request}")

        # of a server on 0.0.0.0 a registry must not see an address of IPv6, where it is not
        source = "" if place.host == "::" else place.host
        return self._ask(encoded(request), source).addCallback(answered)

    def _nonsense(self, problem: RemoteProtocolError) -> RegistryUnreachable:
        return RegistryUnreachable(f"what answers at {self.url} is no registry: {problem}")


def _first_of_them(failure: Failure) -> Failure:
    """Return what went wrong within a `gatherResults`."""
    problem = failure.value
    return problem.subFailure if isinstance(problem, FirstError) else failure
