"""
TLS around any endpoint: certificates from files, checked on both sides if wanted.

`tls_server` and `tls_client` wrap an endpoint, for `listen` and `connect`. TLS is 1.2 or newer.
A server reads its files anew when they have changed, for the next connections; if the new files
are no good it logs that and keeps the old. With a ``ca`` it asks for a client certificate, and
checks it before it reads a byte of txremote's.
"""

from __future__ import annotations

from ssl import CERT_REQUIRED, SSLContext
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from txremote.eventloop.reactor import chosen_reactor
from txremote.levels import Logger
from txremote.net.certificate_files import pem_certificates, stamp_of
from txremote.net.tls_checks import CheckingClient, first_bytes, note_refused
from txremote.net.unixsockets import server_endpoint
from txremote.refs.clock import EventLoop, Reactor
from txremote.servername import ServerName, server_name, unknown_kind

_log = Logger("txremote")

# of a name that begins with tls:, ours and those that only Twisted's endpoint knows
_OUR_OPTIONS = {"ca", "cert", "key", "hostname"}
_OPTIONS_OF_TWISTED = {"certificate", "privateKey", "trustRoots", "endpoint"}


@implementer(IOpenSSLServerConnectionCreator)
class Credentials:
    """
    The key, the certificate chain and the trusted authorities of `tls_server`: each connection
    has those that are in the files when it comes.
    """

    def __init__(self, cert: str, key: str | None = None, ca: str | None = None) -> None:
        self._cert = cert
        self._key = key or cert
        self._ca = ca
        self._seen: tuple[object, ...] | None = None
        self._context: object = None
        self._read()

    def serverConnectionForTLS(self, tlsProtocol: object) -> Any:
        """Return OpenSSL's side of a new connection (`IOpenSSLServerConnectionCreator`)."""
        from OpenSSL.SSL import VERIFY_PEER, Connection as TLSConnection

        connection = TLSConnection(self.context(), None)
        if connection.get_verify_mode() & VERIFY_PEER:
            note_refused(connection, tlsProtocol, "the client's certificate")
        return connection

    def context(self) -> Any:
        """Return the OpenSSL context of the files as they are now."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return self._context
        try:
            self._read()
        except Exception as problem:  # a file that is half written, or wrong
            _log.error(
                "the renewed {cert} cannot be used, the old one still is: {problem}",
                cert=self._cert,
                problem=problem,
            )
            self._seen = stamp
        else:
            _log.info("{cert} was renewed", cert=self._cert)
        return self._context

    def _stamp(self) -> tuple[object, ...] | None:
        """Return what changes with the files; None: one is just being replaced."""
        paths = [path for path in (self._cert, self._key, self._ca) if path is not None]
        try:
            return tuple(map(stamp_of, paths))
        except OSError:
            return None

    def _read(self) -> None:
        seen = self._stamp()
        ssl = _ssl()
        chain = [ssl.Certificate.loadPEM(pem) for pem in pem_certificates(self._cert)]
        pem = _contents(self._key)
        try:
            key = ssl.KeyPair.load(pem, 1)  # crypto.FILETYPE_PEM
        except Exception:  # pyOpenSSL's own Error
            raise ValueError(f"{self._key} holds no private key in PEM") from None
        trust = None if self._ca is None else _trust(self._ca)
        options = ssl.CertificateOptions(
            privateKey=key.original,
            certificate=chain[0].original,
            extraCertChain=[certificate.original for certificate in chain[1:]],
            trustRoot=trust,
            raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
        )
        try:
            context = options.getContext()
            context.set_alpn_select_callback(_no_protocol)
            context.check_privatekey()
        except Exception:  # pyOpenSSL's own Error
            raise ValueError(f"{self._key} is not the key of {self._cert}") from None
        self._context = context
        self._seen = seen


def _no_protocol(_connection: object, _offered: object) -> object:
    """
    Take no notice of the protocols that a client offers (ALPN), as browsers and curl do.

    Twisted's own function, from 26.10 on, refuses a client whose offers nobody has named, and
    works with connections that Twisted has made only.
    """
    from OpenSSL.SSL import NO_OVERLAPPING_PROTOCOLS

    return NO_OVERLAPPING_PROTOCOLS


def _ssl() -> Any:
    try:
        from twisted.internet import ssl
    except ImportError as problem:
        raise ImportError(f"TLS needs pyOpenSSL: pip install 'txremote[tls]' ({problem})") from None
    return ssl


def _contents(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _trust(path: str) -> Any:
    ssl = _ssl()
    authorities = [ssl.Certificate.loadPEM(pem) for pem in pem_certificates(path)]
    return ssl.trustRootFromCertificates(authorities)


@implementer(IStreamServerEndpoint)
class _TLSServerEndpoint:
    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        credentials: Credentials,
        description: str,
        reactor: EventLoop,
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self.credentials = credentials
        self._description = description

    def __repr__(self) -> str:
        return f"{self._description} with TLS"

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        wrapped = _server_factory(self.credentials, protocolFactory, self._reactor)
        listening: Deferred[IListeningPort] = self._endpoint.listen(wrapped)
        return listening


def _server_factory(credentials: Credentials, factory: Any, reactor: EventLoop) -> Any:
    from twisted.protocols.tls import TLSMemoryBIOFactory

    usual: Any = TLSMemoryBIOFactory.protocol
    waiting = first_bytes(usual)

    class Wrapping(TLSMemoryBIOFactory):
        noisy = False
        protocol = waiting

        def buildProtocol(self, addr: object) -> Any:
            inner = self.wrappedFactory.buildProtocol(addr)
            return None if inner is None else self.protocol(self, inner)

    clock: Any = reactor
    return Wrapping(credentials, False, factory, clock=clock)


def tls_server(
    endpoint: str | IStreamServerEndpoint,
    cert: str,
    key: str | None = None,
    ca: str | None = None,
    *,
    reactor: Reactor | None = None,
) -> IStreamServerEndpoint:
    """
    Return a server endpoint that speaks TLS over another one, for `listen`.

    Args:
        endpoint: A server endpoint, or its description.
        cert: Path of the certificate chain in PEM. It is read anew when it has
            changed.
        key: Path of the private key in PEM; None for that in ``cert``.
        ca: Path of the authorities' certificates in PEM: clients have to have a
            certificate that one of them has signed. None: clients need none.
        reactor: The reactor; the running one if None.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not what it should be.
        ImportError: ``pip install 'txremote[tls]'``.
    """
    reactor = chosen_reactor(reactor)
    where = server_endpoint(reactor, endpoint) if isinstance(endpoint, str) else endpoint
    return _TLSServerEndpoint(where, Credentials(cert, key, ca), str(endpoint), reactor)


def asks_for_certificates(endpoint: object) -> bool:
    """Tell whether a server endpoint lets in only clients with a certificate that it trusts."""
    if isinstance(endpoint, _TLSServerEndpoint):
        context = endpoint.credentials.context()
    elif isinstance(context := getattr(endpoint, "context", None), SSLContext):  # asyncio's
        return context.verify_mode == CERT_REQUIRED
    else:
        # both of Twisted's TLS endpoints keep it under this name
        factory = getattr(endpoint, "_sslContextFactory", None)
        if factory is None:
            return False
        context = factory.getContext()
    from OpenSSL import SSL

    required = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    return bool(context.get_verify_mode() & required == required)


def speaks_tls(endpoint: object) -> bool:
    """Tell whether a server endpoint speaks TLS, as far as that can be told."""
    return (
        isinstance(endpoint, _TLSServerEndpoint)
        or isinstance(getattr(endpoint, "context", None), SSLContext)  # asyncio's
        or getattr(endpoint, "_sslContextFactory", None) is not None  # Twisted's
    )


def tls_client(
    endpoint: str | IStreamClientEndpoint,
    ca: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    *,
    hostname: str | None = None,
    reactor: Reactor | None = None,
) -> IStreamClientEndpoint:
    """
    Return a client endpoint that speaks TLS over another one, for `connect`.

    Args:
        endpoint: A client endpoint, or its description, such as
            ``tcp:localhost:18861``.
        ca: Path of the certificates in PEM that the server's has to be signed by,
            or its own if nobody else has signed it; None for those that the
            system trusts.
        cert: Path of this client's certificate chain in PEM, for servers that ask.
        key: Path of its private key in PEM; None for that in ``cert``.
        hostname: The name or address in the server's certificate; None for the
            host in the description.
        reactor: The reactor; the running one if None.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not what it should be, or the host is not known.
        ImportError: ``pip install 'txremote[tls]'``.
    """
    reactor = chosen_reactor(reactor)
    if hostname is None:
        hostname = _host_of(endpoint)
    where = client_endpoint_of(reactor, endpoint)
    ssl = _ssl()
    trust = None if ca is None else _trust(ca)
    own = None if cert is None else _own_certificate(cert, key)
    options = ssl.optionsForClientTLS(hostname, trustRoot=trust, clientCertificate=own)
    checking = CheckingClient(options, hostname)
    return TLSClientEndpoint(where, checking, f"TLS over {endpoint}", reactor)


def client_endpoint_of(reactor: EventLoop, where: object) -> IStreamClientEndpoint:
    """
    Return the endpoint of what says where to connect to: a server's name, or an endpoint.

    Raises:
        TypeError: it is neither. ValueError: see `client_from_string`.
    """
    if isinstance(where, str):
        return client_from_string(reactor, where)
    if not hasattr(where, "connect"):
        raise TypeError(
            f"no server's name: {where!r}. It is 'HOST:PORT', 'unix:PATH', 'tls:HOST:PORT', a "
            "client endpoint or its description"
        )
    endpoint: Any = where
    return endpoint  # type: ignore[no-any-return]


def client_from_string(reactor: EventLoop, description: str | ServerName) -> IStreamClientEndpoint:
    """
    Return the endpoint of a server by its name: see `txremote.servername`.

    Raises:
        ValueError: It is none, or a file that it names is not what it should be.
        OSError: A file cannot be read.
        ImportError: ``pip install 'txremote[tls]'``.
    """
    name = server_name(description) if isinstance(description, str) else description
    if name.kind == "registry":
        raise ValueError(f"{name.text} is no single place: connect() and RemoteClient() take it")
    options = name.options.keys()
    if name.kind == "tls" and (options & _OUR_OPTIONS or not options & _OPTIONS_OF_TWISTED):
        return _client_with_files(reactor, name)
    try:
        endpoint: IStreamClientEndpoint = clientFromString(reactor, name.description)
    except NameError:  # twisted.internet.endpoints has what it could not import in no other way
        _ssl()
        raise
    except ValueError as problem:
        if str(problem).startswith("Unknown endpoint type"):
            raise unknown_kind(name.text) from None
        raise
    # a loop without a reactor has endpoints of its own for some of Twisted's
    adapted = getattr(reactor, "adapted", None)
    return endpoint if adapted is None else adapted(endpoint)


def unchecked_client(reactor: EventLoop, name: ServerName) -> IStreamClientEndpoint:
    """
    Return the endpoint of a ``tls:`` or ``ssl:`` name that takes any certificate of the server's.
    Raises as `client_from_string`.
    """
    unchecked = name.unchecked()
    ssl = _ssl()
    own = None
    if "cert" in unchecked.options:
        own = _own_certificate(unchecked.options["cert"], unchecked.options.get("key"))
    options = ssl.CertificateOptions(
        privateKey=own and own.privateKey.original, certificate=own and own.original
    )
    inner = client_from_string(reactor, unchecked.without_tls())
    return TLSClientEndpoint(inner, options, f"TLS over {name.text}", reactor)


def _own_certificate(cert: str, key: str | None) -> Any:
    pem = _contents(cert) + b"\n" + _contents(key or cert)
    try:
        return _ssl().PrivateCertificate.loadPEM(pem)
    except Exception:  # pyOpenSSL's own Error
        where = f"{cert} and {key} hold" if key else f"{cert} holds"
        raise ValueError(f"{where} no certificate with its private key in PEM") from None


def _client_with_files(reactor: EventLoop, name: ServerName) -> IStreamClientEndpoint:
    """Return the endpoint of a ``tls:`` name that has options of ours, as `tls_client` does."""
    options = name.options
    mixed = options.keys() & _OPTIONS_OF_TWISTED
    if mixed:
        raise ValueError(
            f"{name.text}: {', '.join(sorted(mixed))} cannot be said beside ca=, cert=, key= "
            "or hostname="
        )
    return tls_client(
        name.without_tls().description,
        *(options.get(each) for each in ("ca", "cert", "key")),
        hostname=options.get("hostname", name.host),
        reactor=reactor,
    )


@implementer(IStreamClientEndpoint)
class TLSClientEndpoint:
    """
    TLS over another endpoint. In the place of Twisted's, for its repr, which the status of a
    client shows, and since Twisted's goes by the clock of the reactor that is installed.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, options: object, name: str, reactor: EventLoop
    ) -> None:
        self._endpoint = endpoint
        self._options = options
        self._name = name
        self._reactor = reactor

    def __repr__(self) -> str:
        return f"<{self._name}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect a factory."""
        from twisted.protocols.tls import TLSMemoryBIOFactory

        options: Any = self._options
        clock: Any = self._reactor
        factory = TLSMemoryBIOFactory(options, True, protocolFactory, clock=clock)
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting.addCallback(lambda protocol: protocol.wrappedProtocol)


def _host_of(endpoint: object) -> str:
    if isinstance(endpoint, str):
        host = server_name(endpoint).host
        if host:
            return host
    raise ValueError("say hostname=, the name that the server's certificate is to have")
