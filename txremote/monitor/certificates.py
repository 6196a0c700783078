"""
The certificates of a server, as an operator has to know them: `CertificateRows`.

A file is read anew when it has changed, as the server does it. So after a renewal the page, the
metrics and the log know the new dates without a restart. `CertificateWatch` has the log tell how a
certificate becomes worse, or good again, while the server runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from txremote.eventloop.certificates import (
    EXPIRED,
    NOT_YET_VALID,
    OK,
    days_left,
    issuer_of,
    state_of,
    subject_of,
    valid_from,
    valid_until,
)
from txremote.levels import Logger
from txremote.monitor.rows import CertificateRow
from txremote.net.certificate_files import CertificateFile

_log = Logger("txremote")


class CertificateRows:
    """
    The rows of a server's certificates; called by the monitor, in any thread.

    Args:
        server: Its name.
        files: The paths of PEM files. One that cannot be read has no rows.
    """

    def __init__(self, server: str, files: Iterable[str]) -> None:
        self._server = server
        self._files = [CertificateFile(path) for path in files]

    def __call__(self) -> list[CertificateRow]:
        """Return a row for each certificate in the files, as they are now."""
        now = datetime.now(UTC)
        return [
            CertificateRow(
                server=self._server,
                subject=subject_of(each),
                issuer=issuer_of(each),
                not_before=valid_from(each).timestamp(),
                not_after=valid_until(each).timestamp(),
                days_left=round(days_left(each, now), 2),
                state=state_of(each, now),
                file=file.path,
            )
            for file in self._files
            for each in file.certificates()
        ]


class CertificateWatch:
    """Has the log tell of certificates whose state has changed. The first look tells nothing."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], str] | None = None

    def look(self, rows: Iterable[CertificateRow]) -> None:
        """Log what has changed since the last look."""
        before = self._states
        states: dict[tuple[str, str], str] = {}
        for row in rows:
            key = row.file, row.subject
            states[key] = row.state
            if before is None or before.get(key, OK) == row.state:
                continue
            log = _log.info if row.state == OK else _log.warn
            log(
                "{file}: the certificate of {subject} {words}",
                file=row.file,
                subject=row.subject,
                words=_words(row),
            )
        self._states = states


def _words(row: CertificateRow) -> str:
    """Return how a certificate is, as a sentence's end."""
    if row.state == NOT_YET_VALID:
        return f"is not valid before {_day(row.not_before)}"
    verb = "expired" if row.state == EXPIRED else "expires"
    return f"{verb} on {_day(row.not_after)}"


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
