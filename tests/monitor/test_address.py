"""How an admin site is named."""

from __future__ import annotations

import pytest

from txremote.monitor.address import AdminAddress, admin_address


@pytest.mark.parametrize(
    "written, address",
    [
        ("unix:/run/a.sock", AdminAddress(path="/run/a.sock")),
        ("http://127.0.0.1:9180", AdminAddress(host="127.0.0.1", port=9180)),
        ("https://[::1]/", AdminAddress(host="::1", port=443, tls=True)),
        ("127.0.0.1:18861", None),
    ],
)
def test_a_site_is_named_by_its_url(written: str, address: AdminAddress | None) -> None:
    """Or by its socket; other names are servers."""
    assert admin_address(written) == address


@pytest.mark.parametrize("written", ["http://a:1/metrics", "http://me:pw@a", "http://a:b"])
def test_a_url_of_something_else_is_refused(written: str) -> None:
    """With a sentence."""
    with pytest.raises(ValueError):
        admin_address(written)
