"""
The certificates of a server, as an operator has to know them: `CertificateRows`.

A file is read anew when it has changed, as the server does it. So after a renewal the page, the
metrics and the log know the new dates without a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from txremote.eventloop.certificates import (
    days_left,
    issuer_of,
    state_of,
    subject_of,
    valid_from,
    valid_until,
)
from txremote.monitor.rows import CertificateRow
from txremote.net.certificate_files import CertificateFile


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
