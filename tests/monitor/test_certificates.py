"""
The certificates of a server as rows.
"""

from __future__ import annotations

import time
from pathlib import Path

from twisted.logger import capturedLogs, formatEvent

from tests.net.certificates import DAY, Authority
from txremote.monitor.certificates import CertificateRows, CertificateWatch


def test_each_certificate_is_a_row_and_a_renewal_is_seen(tmp_path: Path) -> None:
    """With the days that it has, and how it is; a file that is not there has none."""
    authority = Authority(tmp_path, "us")
    late = authority.issue("late", -DAY)
    rows = CertificateRows("shop.Shop", [late, authority.path, str(tmp_path / "none.pem")])
    first, second = rows()
    assert (first.server, first.subject, first.issuer) == ("shop.Shop", "CN=late", "CN=us")
    assert (first.state, first.file, second.file) == ("expired", late, authority.path)
    assert -1.1 < first.days_left < -0.9
    assert first.not_before < first.not_after < time.time()
    assert (second.subject, second.state) == ("CN=us", "expires soon")
    authority.issue("late", 90 * DAY)
    renewed = rows()[0]
    assert (renewed.state, 89 < renewed.days_left < 91) == ("ok", True)


def test_the_log_tells_when_a_certificate_becomes_worse_or_good_again(tmp_path: Path) -> None:
    """Once for each change, and not at the first look: the start has told of that."""
    authority = Authority(tmp_path, "us")
    path = authority.issue("shop", 5 * DAY)
    rows, watch = CertificateRows("shop.Shop", [path]), CertificateWatch()
    with capturedLogs() as logged:
        for valid in (5, -1, -1, 90):
            authority.issue("shop", valid * DAY)
            watch.look(rows())
    told = [(event["log_level"].name, formatEvent(event)) for event in logged]
    assert [level for level, _text in told] == ["warn", "info"]
    assert told[0][1].startswith(f"{path}: the certificate of CN=shop expired on ")
    assert told[1][1].startswith(f"{path}: the certificate of CN=shop expires on ")
