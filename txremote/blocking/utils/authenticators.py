"""RPyC's ``rpyc.utils.authenticators``, by its names."""

from txremote.blocking.authentication import (
    AuthenticationError as AuthenticationError,
    SSLAuthenticator as SSLAuthenticator,
)
