"""
`LinePool`: the lines of a client to all its places, of which each call has one.

Places come and go. A new one has lines at once. One that is named no more has no new calls while
another is there, and its lines go when their connections have ended: a registry that was started
just now knows nobody, and that is no reason to hang up on servers that answer.

News of a line is taken in at once, but lines are started and stopped in a later turn of the loop: a
line cannot be stopped from within the call that tells its news. Only then is it known whether there
is another place to try, so failures and refusals are told then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from txremote.eventloop.client_status import ClientStatus
from txremote.net.line import Line, Manner
from txremote.net.members import Member, Picker, Target
from txremote.net.targets import Targets
from txremote.peer.connection import Connection
from txremote.registry.dialled import MAX_PLACES

# of the states of lines, the one that tells most of how the client is doing comes first
_STATES = ("connected", "connecting", "waiting", "refused", "stopped")

Connect = Callable[[object], Deferred[Connection]]


class PoolOwner(Protocol):
    """The client, as its pool uses it."""

    def went_live(self, connection: Connection) -> None:
        """Take in that calls may be sent on a connection."""

    def attempt_failed(self, failure: Failure) -> None:
        """Take in that a try has failed, and no other is under way."""

    def was_refused(self, error: UnauthorizedLogin) -> None:
        """Take in that all places have refused the credentials."""


class LinePool:
    """
    The lines of a client.

    Args:
        owner: Is told of what happens.
        name: The client's, for the log.
        targets: Where its places come from.
        picker: How a line is chosen.
        connect: Makes a connection to what a `Target` calls ``where``.
        manner: The steps that are taken on each connection.
        lines: How many there are to each place.
    """

    def __init__(
        self,
        owner: PoolOwner,
        name: str,
        targets: Targets,
        picker: Picker,
        connect: Connect,
        manner: Manner,
        lines: int,
    ) -> None:
        self._owner = owner
        self._name = name
        self._targets = targets
        self._picker = picker
        self._connect = connect
        self._manner = manner
        self._lines = lines
        self._found = targets.known
        self._running = False
        self._why_stopped = "not started yet"
        self._members: list[Member] = []
        for target in picker.wanted(self._found, ()):
            self._complete(target)
        self._timers: dict[tuple[object, ...], IDelayedCall] = {}  # by what they call
        self._leaving: set[Line] = set()  # those whose last calls end
        self._failure: Failure | None = None  # that the owner is not told of yet

    def start(self) -> None:
        """Start connecting."""
        self._running = True
        for member in self._members:
            member.line.start()
        self._targets.start(self._take)
        self._later(0, self._arrange)

    def stop(self) -> Deferred[None]:
        """Close all connections and try no more. The Deferred fires when nothing is left."""
        self._running = False
        self._why_stopped = "stopped by stopService()"
        timers, self._timers = self._timers, {}
        for timer in timers.values():
            timer.cancel()
        endings: list[Deferred[Any]] = [self._targets.stop()]
        endings += [
            line.stop() for line in [*(each.line for each in self._members), *self._leaving]
        ]
        return gatherResults(endings).addCallback(lambda _ended: None)

    def ask(self) -> None:
        """Look for places now: a call waits."""
        if self._running:
            self._targets.ask()

    @property
    def usable(self) -> Connection | None:
        """The connection that the next call is sent on, if there is one."""
        members = self._members
        if len(members) == 1:  # the most common, and the fastest
            return members[0].line.usable
        live = [member for member in members if member.line.usable is not None]
        if len(live) > 1:
            live = [member for member in live if member.listed] or live
        if len(live) > 1:
            now = self._manner.clock.seconds()
            live = [member for member in live if not member.seems_stuck(now)] or live
        if not live:
            return None
        chosen = self._picker.chosen(live)
        chosen.asked = True
        return chosen.line.live

    @property
    def first(self) -> Connection | None:
        """Any usable connection; no call has its turn by this."""
        found = (member.line.usable for member in self._members)
        return next((connection for connection in found if connection is not None), None)

    @property
    def refused(self) -> UnauthorizedLogin | None:
        """The refusal of the credentials, if no place has taken them, and there is no other."""
        if (self._arrange,) in self._timers:  # there may be one
            return None
        refusals = [member.line.refused for member in self._members]
        return refusals[0] if refusals and None not in refusals else None

    @property
    def statuses(self) -> dict[str, tuple[ClientStatus, ...]]:
        """How each connection is doing, by the name of its place."""
        found: dict[str, tuple[ClientStatus, ...]] = {}
        for member in self._members:
            name = member.target.name
            found[name] = (*found.get(name, ()), member.line.status)
        return found

    @property
    def status(self) -> ClientStatus:
        """How the client is doing: as the line that does best."""
        members = self._members
        if len(members) == 1 and members[0].target.name == self._name:
            return members[0].line.status
        if not self._running:
            return ClientStatus("stopped", self._why_stopped)
        if not members:
            return ClientStatus("connecting", self._targets.why_none)
        best = min(members, key=lambda member: _STATES.index(member.line.status.state))
        status, name = best.line.status, best.target.name
        if status.state != "connected":
            return replace(status, happened=f"{name}: {status.happened}")
        live = [member.target.name for member in members if member.line.usable is not None]
        happened = f"reached {', '.join(dict.fromkeys(live))}"
        return ClientStatus("connected", f"{happened} ({len(live)} of {len(members)} connections)")

    # -- for its lines

    def went_live(self, line: Line, connection: Connection) -> None:
        """Take in that calls may be sent on a line."""
        self._failure = None
        member = self._member(line)
        if member is not None:
            member.begin()
            for key in [key for key in self._timers if key[0] == self._gone_for_long]:
                self._timers.pop(key).cancel()
            if not any(each is not member and each.line.usable for each in self._members):
                self._picker.went_live(member.target)
            self._later(0, self._arrange)
        self._owner.went_live(connection)

    def went_down(self, line: Line) -> None:
        """Take in that no new call is to be sent on a line."""
        member = self._member(line)
        if member is None:
            return
        self._later(0, self._arrange)
        if self._picker.grace is not None:
            self._later(self._picker.grace, self._gone_for_long, member)

    def attempt_failed(self, line: Line, failure: Failure) -> None:
        """Take in that a try has failed."""
        self._failure = failure
        self._not_reached(line)

    def was_refused(self, line: Line, error: UnauthorizedLogin) -> None:
        """Take in that a place has refused the credentials."""
        self._not_reached(line)

    def _not_reached(self, line: Line) -> None:
        member = self._member(line)
        if member is not None and self.first is None:
            self._picker.failed(member.target)
        self._later(0, self._arrange)

    def _member(self, line: Line) -> Member | None:
        return next((member for member in self._members if member.line is line), None)

    # -- how they come and go

    def _take(self, targets: Sequence[Target]) -> None:
        self._found = targets
        self._later(0, self._arrange)

    def _gone_for_long(self, member: Member) -> None:
        if self.first is None and member in self._members:
            self._picker.failed(member.target)
            self._arrange()

    def _later(self, seconds: float, function: Callable[..., object], *args: object) -> None:
        """Call a method some seconds from now, unless that is to happen already."""
        key = (function, *args)
        if key in self._timers or not self._running:
            return

        def call() -> None:
            del self._timers[key]
            function(*args)

        self._timers[key] = self._manner.clock.callLater(seconds, call)

    def _arrange(self) -> None:
        """Start and stop lines, so that there are those that should be; tell what came of tries."""
        if not self._running:
            return
        live = {each.target.key for each in self._members if each.line.usable is not None}
        wanted = {target.name: target for target in self._picker.wanted(self._found, live)}
        surplus: set[str] = set()
        if self._picker.grace is not None:  # one server has all calls, and another came as late
            surplus = {target.name for target in self._found} - wanted.keys()
        for member in list(self._members):
            target = wanted.get(member.target.name)
            member.listed = target is not None
            if target is not None:
                member.target = target
            elif member.line.usable is None or member.target.name in surplus:
                self._drop(member)
        # a registry that lies may name others all the time, and all of them may answer
        unlisted = [member for member in self._members if not member.listed]
        for member in unlisted[: max(0, len(unlisted) - MAX_PLACES * self._lines)]:
            self._drop(member)
        for target in wanted.values():
            for member in self._complete(target):
                member.line.start()
        self._tell()

    def _tell(self) -> None:
        """Tell the owner that all tries have failed, or all places have refused."""
        refused = self.refused
        states = {member.line.status.state for member in self._members}
        if refused is not None:
            self._failure = None
            self._owner.was_refused(refused)
        elif self._failure is not None and "connecting" not in states:
            failure, self._failure = self._failure, None
            self._owner.attempt_failed(failure)

    def _complete(self, target: Target) -> list[Member]:
        """Make the lines to a place that are not there: some may have ended while it was gone."""
        name = target.name
        client = name if name == self._name else f"{self._name} at {name}"
        connect = partial(self._connect, target.where)
        there = sum(member.target.name == name for member in self._members)
        added = [
            Member(Line(self, name, connect, self._manner, client), target)
            for _ in range(self._lines - there)
        ]
        self._members += added
        return added

    def _drop(self, member: Member) -> None:
        line = member.line
        self._members.remove(member)
        self._leaving.add(line)
        line.leave().addBoth(lambda _ended: self._leaving.discard(line))
