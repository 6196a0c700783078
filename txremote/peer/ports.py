"""
The Protocols by which the parts of a connection know it and each other.

A `Connection` is made of parts that lead back to it. They know it as a `ConnectionPort`, and
each other as far as it is said here, so none of their modules imports the connection's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Never, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from txremote.config import ConnectionConfig
from txremote.errors import RemoteProtocolError
from txremote.gate.threaded import ThreadedCall
from txremote.peer.context import CalledConnection
from txremote.peer.executor import Executor
from txremote.peer.lifecycle import State
from txremote.peer.logging import RateLimitedCount
from txremote.peer.memory_budget import SharesMemory
from txremote.peer.variables import Variables
from txremote.refs.forks import Process
from txremote.refs.ports import Answer


class Stream(Protocol):
    """The transport of a connection: what TCP's, TLS's, a pipe's and a script's have."""

    def getPeer(self) -> IAddress:
        """Return the peer's address."""

    def loseConnection(self) -> object:
        """Close, with what is unsent going out first."""

    def abortConnection(self) -> object:
        """Close at once."""

    def pauseProducing(self) -> object:
        """Read no more for now."""

    def resumeProducing(self) -> object:
        """Read on."""


class CallsPort(Protocol):
    """The ledger of the peer's calls, as the other parts use it."""

    @property
    def waiting(self) -> Mapping[int, object]:
        """The calls that wait, by number."""

    def pause(self) -> None:
        """Let all calls wait until `resume`."""

    def resume(self) -> None:
        """Start the calls that have waited for the peer to read."""

    def refuse(self, why: Exception) -> None:
        """Refuse new calls from now on."""


class TimeoutsPort(Protocol):
    """The time limits, as the other parts notify them."""

    active: bool

    def data_received(self, whole_message: bool, at_boundary: bool) -> None:
        """Note that bytes have come."""


class InboundPort(Protocol):
    """The peer's calls, as the other parts use them."""

    variables: Variables | None  # that they run with
    features: tuple[str, ...]  # the extensions that this side knows
    refusal: Exception | None

    @property
    def ledger(self) -> CallsPort:
        """The calls that run and wait."""

    @property
    def timeouts(self) -> TimeoutsPort:
        """The time limits."""

    def __len__(self) -> int: ...

    def start_waiting(self) -> None:
        """Start the calls that may start by now, and close if those were the last."""

    def close_if_drained(self) -> None:
        """Close the connection if it drains and all its calls are answered."""


class OutboundPort(Protocol):
    """This side's requests, as the other parts send them."""

    def send_oneway(self, handler: int, *args: object) -> None:
        """Send a request whose answer is of no interest."""

    def request(
        self,
        handler: int,
        args: tuple[object, ...],
        timeout: float | None = None,
        option: str | None = ...,
    ) -> Answer:
        """Send a request; ``option`` is the one that sets the time-out, None if none does."""

    def flush_released(self) -> None:
        """Tell the peer which of its objects are not held here any more."""


class ClosingPort(Protocol):
    """How the parts of a connection end it."""

    why: str  # why it ends or drains
    awaited: bool  # whether the peer has not read yet that this side stops

    def hang_up(self, why: str) -> None:
        """Close in order, and log why."""

    def abort(self, why: str) -> None:
        """End it at once."""

    def fail(self, error: RemoteProtocolError) -> None:
        """Close because the peer broke the protocol."""


class BackpressurePort(Protocol):
    """The state of both directions of a connection."""

    @property
    def busy(self) -> bool:
        """Whether calls are unanswered, in either direction."""

    @property
    def paused(self) -> bool:
        """Whether the peer is not read."""

    @property
    def sending(self) -> bool:
        """Whether much is on its way to the peer."""

    def high_water(self, over: bool) -> None:
        """Stop or go on to serve the peer, by how much it has not read."""

    def peer_needed(self) -> None:
        """Read the peer, and start its calls: a call of ours waits for it."""

    def peer_answered(self) -> None:
        """Stop reading again if the peer is needed no more."""


class StreamsPort(Protocol):
    """A connection's streams (`txremote.peer.incoming.Streams`)."""

    def receive(self, args: object, size: int) -> None:
        """Take in a message of items, of so many bytes."""

    def lost(self, number: object, error: RemoteProtocolError) -> None:
        """Fail a stream of which a message could not be read."""


class SubscriptionsPort(Protocol):
    """A connection's subscriptions of topics (`txremote.peer.subscriptions.Subscriptions`)."""

    def lost(self, channel: int, error: RemoteProtocolError) -> None:
        """Fail the one of a channel of which a message could not be read."""

    def end_all(self, error: Exception) -> None:
        """End those that the peer reads."""


class ConnectionPort(CalledConnection, SharesMemory, Protocol):
    """A connection, as its parts know it."""

    state: State  # changed by `enter` alone
    home: Process  # the process that it belongs to
    features: frozenset[str]  # the extensions that the peer knows
    knows_peer: bool  # whether the peer is dialled, or known to be a txremote
    config: ConnectionConfig  # the switches
    opened: float  # when it was made, on its clock
    log_limit: RateLimitedCount | None  # when a broken protocol is logged; None: each time

    @property
    def why_ended(self) -> str:
        """Why it has ended, as a sentence."""

    @property
    def stream(self) -> Stream:
        """The transport."""

    @property
    def executor(self) -> Executor[Never]:
        """Where requests run and results fire."""

    @property
    def inbound(self) -> InboundPort:
        """The peer's calls."""

    @property
    def outbound(self) -> OutboundPort:
        """This side's requests."""

    @property
    def calls(self) -> Sized:
        """Those of them that are unanswered."""

    @property
    def closing(self) -> ClosingPort:
        """How it ends."""

    @property
    def backpressure(self) -> BackpressurePort:
        """Stops and resumes reading."""

    @property
    def other_dialect(self) -> str | None:
        """The dialect that the peer turned out to speak, where it is another."""

    @property
    def streams(self) -> StreamsPort | None:
        """Its streams, or None."""

    @property
    def subscriptions(self) -> SubscriptionsPort | None:
        """Those of topics, or None."""

    def needs_peer(self) -> bool:
        """Tell whether a call of ours waits for the peer, or a thread for its requests."""

    def enter(self, state: State) -> None:
        """Enter the next state."""

    def connectionLost(self, reason: Failure) -> None:
        """Note the end of the transport."""

    def ping(self, data: object, timeout: float) -> Deferred[None]:
        """Send the peer a ping."""

    def run_in_thread(self, call: ThreadedCall) -> Answer:
        """Run a `threaded` method in a thread of its own."""
