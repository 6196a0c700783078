"""
A clock whose turns are a reactor's.

Not a test file.
"""

from twisted.internet.task import Clock


class Turns(Clock):
    """
    A clock that, in one turn, calls what is due when the turn begins, and leaves what
    that calls for to the next, as a reactor does.
    """

    def turn(self, turns=1):
        """Let some turns pass, of a microsecond each."""
        for _ in range(turns):
            self.rightNow += 1e-6
            for call in [each for each in self.calls if each.getTime() <= self.seconds()]:
                if call.active():
                    self.calls.remove(call)
                    call.called = 1
                    call.func(*call.args, **call.kw)
