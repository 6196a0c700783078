"""`JobFailure`: a job's exception with its notes, cause and context, which Failure leaves out."""

from __future__ import annotations

from typing import Any

from twisted.python import log
from twisted.python.failure import Failure

from txremote.refs.outcome import failure_of
from txremote.wire.exceptions import format_traceback


class JobFailure(Failure):
    """The Failure of a job. Made by `job_failure`."""

    _text: str | None = None

    def printTraceback(
        self, file: Any = None, elideFrameworkCode: bool = False, detail: str = "default"
    ) -> None:
        """Print the traceback as Python would, where the job has run."""
        if detail == "brief":
            super().printTraceback(file, elideFrameworkCode, detail)  # type: ignore[no-untyped-call]
        else:
            (file if file is not None else log.logerr).write(self._whole())

    def cleanFailure(self) -> None:
        """Forget the frames, and keep what they would have told."""
        self._text = self._whole()
        super().cleanFailure()  # type: ignore[no-untyped-call]

    def _whole(self) -> str:
        if self._text is not None:
            return self._text
        return format_traceback(self.value)  # type: ignore[arg-type]  # it has one


def job_failure(error: BaseException, text: str | None = None) -> JobFailure:
    """Return the Failure of a job's exception, with its traceback as text if it ran elsewhere."""
    failure = JobFailure(failure_of(error).value)  # type: ignore[no-untyped-call]
    failure._text = text
    return failure
