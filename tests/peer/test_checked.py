"""A result that is still to come is finished when it is there."""

from __future__ import annotations

from txremote.peer.checked import Checked
from txremote.refs.outcome import Outcome


def test_a_result_is_finished_in_its_wrapping() -> None:
    """That of a thread or a coroutine is wrapped, and so is an error."""
    checked = Checked(None, lambda found: ("finished", found))
    assert checked.finish(3) == ("finished", 3)
    done = checked.finish(Outcome(True, 3))
    assert isinstance(done, Outcome) and done.value == ("finished", 3)
    failed = Outcome(False, ValueError())
    assert checked.finish(failed) is failed
