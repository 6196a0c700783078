"""How a client that reconnects is doing, and when it tries again: `ClientStatus`, `next_delay`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from txremote.levels import Logger

_log = Logger("txremote")

Policy = Callable[[int], float]


@dataclass(frozen=True)
class ClientStatus:
    """
    How a client that reconnects is doing, at one moment.

    Attributes:
        state: ``"stopped"``, ``"connecting"`` (dialling, logging in, in
            ``on_connect``), ``"connected"``, ``"waiting"`` (for the next try), or
            ``"refused"``: the credentials were, and there is no next try.
        happened: The last event, in words.
        error: The exception that it came with, or None.
        tries: How many tries were made since the start or the last loss, the one
            under way included.
        next_try: Seconds until the next one while waiting, else None.
    """

    state: str
    happened: str
    error: BaseException | None = None
    tries: int = 0
    next_try: float | None = None

    def __str__(self) -> str:
        text = f"{self.state}: {self.happened}"
        if self.tries:
            text += f", after {self.tries} {'try' if self.tries == 1 else 'tries'}"
        return text if self.next_try is None else f"{text}, next try in {self.next_try:.1f} s"


def next_delay(client: object, failures: int, policy: Policy, usual: Policy) -> float:
    """
    Return the seconds until a client's next try, by its own policy; by the usual one where that
    raises, or gives no number of seconds, which is logged.
    """
    try:
        delay = float(policy(failures))
        if not 0 <= delay < inf:
            raise ValueError(f"{delay} is no number of seconds to wait")
    except Exception:  # the user's own, and the trying has to go on
        _log.failure("the retry_policy of {client!r} failed, the usual is used", client=client)
        delay = usual(failures)
    return delay
