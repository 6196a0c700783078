"""
Advice to the operator of a server that can be started, but is probably not meant so: `advice`.

``txremote check`` prints it, and a server that starts logs it as warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from txremote.daemon.addresses import ListenAddress
from txremote.daemon.plan import ListenerPlan, ServerPlan
from txremote.net.certificate_files import concerns_of


def advice(plan: ListenerPlan, addresses: Iterable[ListenAddress]) -> Iterator[str]:
    """Give a sentence for each thing that is probably not meant so."""
    addresses = tuple(addresses)
    spelled = plan.origin.spelled
    for address in addresses:
        if not isinstance(plan, ServerPlan) or not address.exposed:
            continue
        if plan.tls_cert or not address.is_plain:
            continue
        what = address.description
        if plan.auth:
            yield f"passwords travel in the clear on {what}: {spelled('tls-cert')} protects them"
        else:
            yield (
                f"other machines can reach {what}, and call what is exposed: {spelled('auth')} "
                f"wants a login of them, {spelled('tls-cert')} and {spelled('tls-ca')} a "
                "certificate, and interface=127.0.0.1 keeps them out"
            )
    yield from concerns_of(certificate_files(plan, addresses))


def certificate_files(plan: ListenerPlan, addresses: Iterable[ListenAddress]) -> list[str]:
    """Return the files of a plan's certificates, each once."""
    found = [path for each in addresses for path in each.certificate_files(plan)]
    return list(dict.fromkeys(found))
