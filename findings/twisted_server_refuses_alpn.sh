#!/bin/sh
# Twisted: since 26.10 a server whose TLS is of CertificateOptions, as that of the endpoint "ssl:..."
# is, refuses every client that offers protocols by ALPN, as curl and browsers do: with the alert
# "internal error", unless the factory or the options name one of those protocols. It serves clients
# that offer none. 25.5 served both; so does 26.10 where the context is given a callback for ALPN
# that returns pyOpenSSL's NO_OVERLAPPING_PROTOCOLS.
# Seen with Twisted 26.10.0 and 25.5.0, pyOpenSSL 26.4.0, cryptography 50.0.2, CPython 3.11: for an
# offer of http/1.1 TLSV1_ALERT_INTERNAL_ERROR in 26.10.0, served in 25.5.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/seen.py" <<'END'
import datetime
import ssl

import twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
now = datetime.datetime.now(datetime.timezone.utc)
until = now + datetime.timedelta(days=1)
certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, now, until)
certificate = crypto.X509.from_cryptography(certificate.sign(key, hashes.SHA256()))


def answer(offered, callback=None):
    options = CertificateOptions(crypto.PKey.from_cryptography_key(key), certificate)
    if callback is not None:
        options.getContext().set_alpn_select_callback(callback)
    factory = TLSMemoryBIOFactory(options, False, Factory.forProtocol(Protocol))
    server, transport = factory.buildProtocol(None), StringTransport()
    server.makeConnection(transport)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if offered:
        context.set_alpn_protocols(offered)
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(received, sent)
    for _ in range(5):
        try:
            client.do_handshake()
            return "served"
        except ssl.SSLWantReadError:
            server.dataReceived(sent.read())
            received.write(transport.value())
            transport.clear()
        except ssl.SSLError as error:
            return error.reason


print(twisted.__version__, "no offer:", answer([]))
print(twisted.__version__, "http/1.1:", answer(["http/1.1"]))
if twisted.__version__ != "25.5.0":
    print("own callback:", answer(["http/1.1"], lambda *_: SSL.NO_OVERLAPPING_PROTOCOLS))
END
for version in 25.5.0 26.10.0; do
    "${PYTHON:-python3}" -m venv "$folder/$version"
    "$folder/$version/bin/pip" install -q --disable-pip-version-check Twisted==$version \
        pyOpenSSL==26.4.0 cryptography==50.0.2 service-identity==26.1.0 six
done
seen=$(for version in 25.5.0 26.10.0; do "$folder/$version/bin/python" "$folder/seen.py"; done)
echo "$seen"
test "$seen" = "25.5.0 no offer: served
25.5.0 http/1.1: served
26.10.0 no offer: served
26.10.0 http/1.1: TLSV1_ALERT_INTERNAL_ERROR
own callback: served"
