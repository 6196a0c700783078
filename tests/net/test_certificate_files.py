"""
Files of certificates, as they are now.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.net.certificates import DAY, Authority
from txremote.eventloop.certificates import subject_of
from txremote.net.certificate_files import CertificateFile, concerns_of, pem_certificates


def test_a_file_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    """And one that is half written, or gone, counts as it was."""
    authority = Authority(tmp_path)
    path = Path(authority.issue("ann", 40 * DAY))
    file = CertificateFile(str(path))
    assert file.concerns(datetime.now(UTC)) == []
    path.write_bytes(Path(authority.issue("bob", -DAY)).read_bytes())
    [told] = file.concerns(datetime.now(UTC))
    assert told.startswith(f"{path}: the certificate of CN=bob expired on ")
    assert concerns_of([str(path)]) == [told]
    path.write_bytes(b"half of a fi")
    assert [subject_of(each) for each in file.certificates()] == ["CN=bob"]
    path.unlink()
    assert [subject_of(each) for each in file.certificates()] == ["CN=bob"]


def test_all_certificates_of_a_file_are_found(tmp_path: Path) -> None:
    """A chain is a file; a path that is relative holds in another folder, too."""
    authority = Authority(tmp_path)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(Path(authority.issue("ann")).read_bytes() + Path(authority.path).read_bytes())
    file = CertificateFile(os.path.relpath(chain))
    assert file.path == str(chain)
    assert [subject_of(each) for each in file.certificates()] == ["CN=ann", "CN=authority"]
    with pytest.raises(ValueError, match="holds no certificate in PEM"):
        pem_certificates(__file__)
