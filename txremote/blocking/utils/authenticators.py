"""
RPyC's ``rpyc.utils.authenticators``, by its names.
"""

from txremote.blocking.authentication import AuthenticationError, SSLAuthenticator

__all__ = ["AuthenticationError", "SSLAuthenticator"]
